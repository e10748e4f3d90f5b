// What turns cost comes with no event of its own: it is read again now and then.
import { on } from "./live.js";
import { every, soon } from "./page.js";

for (const kind of ["wake", "run", "gap"]) on(kind, () => soon());
every(60_000);
