// The newest messages come in as they are sent.
import { on } from "./live.js";
import { soon } from "./page.js";

for (const kind of ["state", "message", "gap"]) on(kind, () => soon());
