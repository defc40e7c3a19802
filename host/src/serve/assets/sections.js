// Takes the sections of #live from the page as it is now. What has not changed stays, and so does what the reader has
// opened, ticked, scrolled or gone to.
import { localise } from "./times.js";

const sources = new WeakMap();

// What the reader can act on, each with a name that it keeps.
function* parts(section) {
  const seen = new Map();
  for (const part of section.querySelectorAll("details, input, .scroll, a, summary")) {
    const words = part.matches("details") ? part.querySelector("summary")?.firstChild?.textContent : part.id || part.getAttribute("aria-label") || part.firstChild?.textContent;
    const name = `${part.tagName} ${words}`;
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    yield [`${name} ${count}`, part];
  }
}

function keep(before, after) {
  const old = new Map(parts(before));
  for (const [name, part] of parts(after)) {
    const was = old.get(name);
    if (!was) continue;
    if (part.tagName === "DETAILS" && was.dataset.touched) {
      part.open = was.open;
      part.dataset.touched = "yes";
    }
    if (part.tagName === "INPUT") part.checked = was.checked;
    part.scrollLeft = was.scrollLeft;
    if (was === document.activeElement) part.focus({ preventScroll: true });
  }
}

function show(before, after) {
  const source = after.outerHTML;
  if (before && (sources.get(before) ?? before.outerHTML) === source) return before;
  const section = document.importNode(after, true);
  sources.set(section, source);
  localise(section);
  return section;
}

export function start() {
  for (const section of document.querySelectorAll("#live > section")) sources.set(section, section.outerHTML);
  localise(document);
  document.addEventListener("click", (event) => {
    const details = event.target.closest?.("summary")?.parentElement;
    if (details) details.dataset.touched = "yes";
  });
}

// Resolves to the new #live, as the server sent it.
export async function refresh(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(20000) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const [live, fresh] = [document.getElementById("live"), page.getElementById("live")];
  if (!live || !fresh) throw new Error("not the page that was expected");
  document.title = page.title;
  const wanted = [...fresh.querySelectorAll(":scope > section")];
  for (const section of [...live.children]) {
    if (!wanted.some((other) => other.id === section.id)) section.remove();
  }
  wanted.forEach((section, index) => {
    const before = document.getElementById(section.id);
    const after = show(before, section);
    if (before && after !== before) {
      before.after(after);
      keep(before, after);
      before.remove();
    } else if (!before) {
      live.insertBefore(after, live.children[index] ?? null);
    }
  });
  return fresh;
}
