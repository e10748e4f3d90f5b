// Runs come and end.
import { on } from "./live.js";
import { soon } from "./page.js";

for (const kind of ["run", "gap"]) on(kind, () => soon());
