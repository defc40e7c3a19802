// What those may do who know the token. It is kept in this tab alone.
const KEY = "host-runner token";
const form = document.getElementById("sign-in");
const told = document.getElementById("told");

// What a change of power is called once it is done.
const DONE = { on: "switched on", off: "switched off", reset: "reset", cycle: "switched off and on" };

const say = (text) => told && (told.textContent = text);

// Resolves to what the server answered; rejects with the server's own words.
export async function order(path, body, type = "application/json") {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY)}`, "Content-Type": type };
  const answer = await fetch(path, { method: "POST", body, headers, signal: AbortSignal.timeout(180000) });
  const words = await answer.json().catch(() => ({}));
  if (answer.status === 401) leave();
  if (!answer.ok) throw new Error(words.error ?? `The server answered ${answer.status}.`);
  return words;
}

function leave() {
  sessionStorage.removeItem(KEY);
  document.documentElement.classList.remove("controlled");
  if (form) form.hidden = false;
}

async function enter(token) {
  sessionStorage.setItem(KEY, token);
  try {
    await order("/api/token", "");
    form.hidden = true;
    form.reset();
    document.documentElement.classList.add("controlled");
    say("");
  } catch (error) {
    leave();
    say(error.message);
  }
}

// A button is dead until its order is carried out or refused.
async function press(button, before, carry, after) {
  button.disabled = true;
  say(before);
  try {
    const answer = await carry();
    say(typeof after === "function" ? after(answer) : after);
  } catch (error) {
    say(error.message);
  }
  button.disabled = false;
}

function clicked({ target }) {
  const button = target.closest?.("button");
  if (!button) return;
  const { board, power, cancel } = button.dataset;
  if (power) {
    const path = `/api/boards/${encodeURIComponent(board)}/power`;
    press(button, `${board}: power ${power} …`, () => order(path, JSON.stringify({ switch: power })), ({ done }) => `${board}: ${DONE[done]}`);
  } else if (cancel && confirm("End this run?")) {
    press(button, "", () => order(`/api/runs/${encodeURIComponent(cancel)}/cancel`, ""), "The run is told to end.");
  } else if (button.id === "sign-out") {
    leave();
  }
}

// Lets `terminal` type on the console of the board that `button` names, while the button is pressed.
export function typing(button, terminal) {
  const path = `/api/boards/${encodeURIComponent(button.dataset.type)}/keys`;
  let waiting = "";
  let sending = false;
  async function send() {
    if (sending) return;
    sending = true;
    while (waiting) {
      // In UTF-8 not longer than the server takes.
      const keys = waiting.slice(0, 1000);
      waiting = waiting.slice(1000);
      await order(path, keys, "application/octet-stream").then(({ warning }) => say(warning ?? ""), (error) => {
        waiting = "";
        say(error.message);
      });
    }
    sending = false;
  }
  terminal.onData((keys) => {
    waiting += keys;
    send();
  });
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    terminal.options.disableStdin = !on;
    if (on) terminal.focus();
  });
  return () => button.getAttribute("aria-pressed") === "true";
}

function startForm(start) {
  const [file, text, problems] = [start.elements.file, start.elements.job, document.getElementById("problems")];
  file.addEventListener("change", async () => {
    if (file.files[0]) text.value = await file.files[0].text();
  });
  start.addEventListener("submit", (event) => {
    event.preventDefault();
    problems.textContent = "";
    const carry = () =>
      order("/api/runs", text.value, "application/yaml").then(undefined, (error) => {
        problems.textContent = error.message;
        throw new Error("The run was not started.");
      });
    press(event.submitter, "", carry, "The run waits for its boards, or has begun.");
  });
}

if (form) {
  document.addEventListener("click", clicked);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    enter(form.elements.token.value);
  });
  const start = document.querySelector("#start form");
  if (start) startForm(start);
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  // Neither the history nor a reader beside one is to have it.
  if (token) history.replaceState(null, "", location.pathname + location.search);
  form.hidden = false;
  if (token ?? sessionStorage.getItem(KEY)) enter(token ?? sessionStorage.getItem(KEY));
}
