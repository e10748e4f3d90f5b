// The fleet stays as it is now: at what happens, and in any case often enough to see one die.
import { on } from "./live.js";
import { every, soon } from "./page.js";

on("*", () => soon());
every(20_000);
