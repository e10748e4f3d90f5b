// Starts the reference server of Durable Streams: PACKAGE PORT [FOLDER]. Without a folder it keeps
// its streams in memory only. It must not know who asks.
import { pathToFileURL } from "node:url"

const [file, port, dataDir] = process.argv.slice(2)
const { DurableStreamTestServer } = await import(pathToFileURL(file).href)
await new DurableStreamTestServer({ port: Number(port), host: "127.0.0.1", dataDir }).start()
