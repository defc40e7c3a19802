// A run as it goes on: its events feed the consoles, and say when the rest is to be taken anew.
import { refresh, start } from "./sections.js";
import { Terminals } from "./terminals.js";

// A line of time grows though nothing happens.
const AT_LEAST_EVERY = 5000;
const AT_MOST_EVERY = 1000;

const live = document.getElementById("live");
const connection = document.getElementById("connection");
const page = `${location.pathname}?consoles=no`;
const events = `/api${location.pathname}events`;

let shown = Number(live.dataset.offset);
let last = performance.now();
let timer;
let ended = live.dataset.state !== "running";

function wait(time) {
  clearTimeout(timer);
  timer = setTimeout(again, time);
}

async function again() {
  last = performance.now();
  try {
    const fresh = await refresh(page);
    shown = Number(fresh.dataset.offset);
    ended = fresh.dataset.state !== "running";
    connection.textContent = "";
  } catch {
    connection.textContent = "The server does not answer; trying again …";
  }
  if (!ended) wait(AT_LEAST_EVERY);
}

const soon = () => wait(Math.max(0, last + AT_MOST_EVERY - performance.now()));

start();
const terminals = new Terminals(document.getElementById("terminals"), document.getElementById("console"));
const source = new EventSource(`${events}?from=${terminals.from}`);
source.addEventListener("message", ({ data, lastEventId }) => {
  const event = JSON.parse(data);
  if (terminals.take(event)) return;
  if (event.event === "run-started" && Number(lastEventId) > shown) location.reload();
  if (event.event !== "progress" && Number(lastEventId) > shown) soon();
});
source.addEventListener("end", () => {
  source.close();
  document.documentElement.dataset.followed = "to the end";
  if (!ended) again();
});
source.addEventListener("open", () => (connection.textContent = ""));
source.addEventListener("error", () => {
  // The browser comes back by itself, unless the server has refused.
  if (source.readyState === EventSource.CLOSED) connection.textContent = "Events cannot be followed; reload the page to try again.";
});
if (!ended) wait(AT_LEAST_EVERY);
