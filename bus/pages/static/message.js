// A message's page stays as it is now: at what happens to it, and while time passes on a rung.
import { on } from "./live.js";
import { every, soon } from "./page.js";

for (const kind of ["state", "message", "wake", "gap"]) on(kind, () => soon());
if (document.querySelector(".rung.open")) every(10_000);
