// The boards and runs, looked at again every few seconds while somebody sees the page.
import "./control.js";
import { refresh, start } from "./sections.js";

const EVERY = 3000;

async function again() {
  if (document.getElementById("live") && document.visibilityState === "visible") {
    // A server that is away may come back.
    await refresh(location.href).catch(() => {});
  }
  setTimeout(again, EVERY);
}

start();
setTimeout(again, EVERY);
