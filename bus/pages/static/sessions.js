// The list stays as it is now. Whether an agent is there no event tells, so it is asked for.
import { on } from "./live.js";
import { every, soon } from "./page.js";

on("entry", () => soon());
on("session", () => soon());
every(20_000);
