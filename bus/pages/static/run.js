// A run's page stays as it is now, also while time passes.
import { on } from "./live.js";
import { every, soon } from "./page.js";

const id = location.pathname.split("/").at(-1);
on("run", (data) => data.run_id === id && soon());
on("gap", () => soon());
if (document.querySelector(".rung.open")) every(10_000);
