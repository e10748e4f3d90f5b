// A task's page stays as it is now: what is done with it, and the runs for it.
import { on } from "./live.js";
import { soon } from "./page.js";

const id = location.pathname.split("/").at(-1);
on("task", (data) => data.id === id && soon());
for (const kind of ["run", "gap"]) on(kind, () => soon());
