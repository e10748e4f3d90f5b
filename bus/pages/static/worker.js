// The one connection of a browser's tabs, where it can share a worker between them.
import { Hall } from "./stream.js";

const hall = new Hall((port, words) => port.postMessage(words));
self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => hall.hear(port, data);
  port.start();
};
