// Moving cards: dragged by a pointer, or picked up and carried with the keys. What may be moved
// where stands on each card, as the bus said it; the bus decides all the same, and its refusal is
// shown in its own words. What others do comes in while nobody here is in the middle of something.
import { on } from "./live.js";
import { call, reread, soon, waitWhile } from "./page.js";

const board = document.querySelector("[data-board]");
const announced = document.getElementById("announced");
const refused = document.getElementById("refused");
const ask = document.getElementById("ask");
const FAR_PX = 6;

let held = null; // {card, from, moves: Map(status → needs a note), by: "keys" | "pointer", ...}

const words = (status) => status.replaceAll("_", " ");
const columnOf = (status) => document.getElementById(`column-${status}`);
const titleOf = (card) => card.querySelector(".head a").textContent;
const say = (text) => (announced.textContent = text);

for (const kind of ["task", "run", "gap"]) on(kind, () => soon());
waitWhile((column) => held || ask.open || column.querySelector("details[open], [aria-busy]"));

// Grips are for scripts; a part that was read again has them hidden.
const showGrips = () => {
  for (const one of board.querySelectorAll(".grip[hidden]")) one.hidden = false;
};
new MutationObserver(showGrips).observe(board, { childList: true, subtree: true });
showGrips();

function lift(card, by) {
  const moves = new Map(card.dataset.moves.split(" ").filter(Boolean).map((one) => [one.replace("!", ""), one.endsWith("!")]));
  const there = new Map([...moves].filter(([status]) => columnOf(status)));
  if (!there.size) return say(`${titleOf(card)} cannot be moved from here.`);
  held = { card, moves: there, from: card.closest(".column").dataset.status, by, over: null };
  card.classList.add("lifted");
  board.classList.add("moving");
  for (const status of there.keys()) columnOf(status).classList.add("may");
}

function hover(status) {
  for (const one of board.querySelectorAll(".over")) one.classList.remove("over");
  held.over = held.moves.has(status) ? status : null;
  if (held.over) columnOf(held.over).classList.add("over");
}

function put() {
  held.ghost?.remove();
  held.card.classList.remove("lifted");
  held.card.querySelector(".grip")?.setAttribute("aria-pressed", "false");
  board.classList.remove("moving");
  for (const one of board.querySelectorAll(".may, .over")) one.classList.remove("may", "over");
  const was = held;
  held = null;
  return was;
}

// Ask why, where the board wants to know; gives the note, or null where the card is to stay.
function why(card, status) {
  document.getElementById("ask-what").textContent = `${titleOf(card)}: ${words(status)}`;
  document.getElementById("ask-label").textContent = status === "blocked" ? "What does it wait for?" : "Why, for who has it next?";
  const text = document.getElementById("ask-why");
  text.value = "";
  text.required = true;
  ask.returnValue = "";
  ask.showModal();
  text.focus();
  return new Promise((done) => ask.addEventListener("close", () => done(ask.returnValue === "move" ? text.value : null), { once: true }));
}

async function drop(was) {
  const { card, over: status, from } = was, id = card.dataset.task, title = titleOf(card);
  const note = was.moves.get(status) ? await why(card, status) : "";
  if (note === null) {
    say(`${title} stays in ${words(from)}.`);
    focusOn(id);
    return;
  }
  card.setAttribute("aria-busy", "true");
  refused.hidden = true;
  try {
    await call("PATCH", `/api/tasks/${id}`, { status, note, seen: from });
    columnOf(status).querySelector(".cards").prepend(card); // at once; what the bus says of it comes
    say(`${title} is in ${words(status)} now.`);
  } catch (error) {
    refused.textContent = `${title}: ${error.message}`;
    refused.hidden = false;
    say(`Not moved. ${error.message}`);
  }
  card.removeAttribute("aria-busy");
  await reread();
  focusOn(id);
}

function focusOn(id) {
  document.getElementById(`card-${id}`)?.querySelector(".grip, a")?.focus({ preventScroll: false });
}

// By the keys.
board.addEventListener("click", (event) => {
  const grip = event.target.closest(".grip");
  if (!grip || event.detail) return; // a pointer's click: it drags
  if (held) {
    const was = put();
    if (was.over) return void drop(was);
    say(`${titleOf(was.card)} stays in ${words(was.from)}.`);
    return;
  }
  lift(grip.closest(".card"), "keys");
  if (!held) return;
  grip.setAttribute("aria-pressed", "true");
  say(`${titleOf(held.card)} is picked up from ${words(held.from)}. It may go to ${[...held.moves.keys()].map(words).join(", ")}.`);
});

board.addEventListener("keydown", (event) => {
  if (held?.by !== "keys") return;
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    choose(step);
  } else if (event.key === "Tab") leave();
});

function choose(step) {
  const places = [...board.querySelectorAll(".column")].map((one) => one.dataset.status);
  const may = places.filter((status) => held.moves.has(status));
  const at = places.indexOf(held.over ?? held.from);
  const next = step > 0 ? may.find((status) => places.indexOf(status) > at) : may.findLast((status) => places.indexOf(status) < at);
  if (!next) return say(`Nothing further ${step > 0 ? "right" : "left"} for ${titleOf(held.card)}.`);
  hover(next);
  columnOf(next).scrollIntoView({ block: "nearest", inline: "nearest" });
  say(`Over ${words(next)}, ${may.indexOf(next) + 1} of ${may.length}${held.moves.get(next) ? "; it will be asked why" : ""}.`);
}

function leave() {
  if (!held) return;
  const was = put();
  say(`${titleOf(was.card)} stays in ${words(was.from)}.`);
}

addEventListener("keydown", (event) => event.key === "Escape" && leave());

// By a pointer: a mouse takes the card anywhere, a finger takes it by its grip, so that it can scroll.
board.addEventListener("pointerdown", (event) => {
  const card = event.target.closest(".card");
  const byGrip = event.target.closest(".grip");
  if (!card?.querySelector(".grip") || event.button || held || ask.open) return;
  if (!byGrip && (event.pointerType !== "mouse" || event.target.closest("a, button, summary, input, select, label, form"))) return;
  if (byGrip) event.preventDefault();
  const start = { x: event.clientX, y: event.clientY };
  const box = card.getBoundingClientRect();
  const track = (moved) => {
    if (!held) {
      if (Math.hypot(moved.clientX - start.x, moved.clientY - start.y) < FAR_PX) return;
      lift(card, "pointer");
      if (!held) return end();
      getSelection()?.removeAllRanges();
      held.ghost = board.appendChild(card.cloneNode(true));
      held.ghost.removeAttribute("id");
      held.ghost.classList.add("ghost");
      held.ghost.classList.remove("lifted");
      held.ghost.setAttribute("aria-hidden", "true");
      held.ghost.inert = true;
      held.ghost.style.width = `${box.width}px`;
    }
    held.ghost.style.transform = `translate(${box.left + moved.clientX - start.x}px, ${box.top + moved.clientY - start.y}px) rotate(1.5deg)`;
    hover(document.elementFromPoint(moved.clientX, moved.clientY)?.closest(".column")?.dataset.status);
  };
  const release = (moved) => {
    end();
    if (held?.by !== "pointer") return;
    const was = put();
    if (moved.type === "pointerup" && was.over) drop(was);
  };
  const end = () => {
    removeEventListener("pointermove", track);
    for (const kind of ["pointerup", "pointercancel"]) removeEventListener(kind, release);
  };
  addEventListener("pointermove", track);
  for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, release);
});
