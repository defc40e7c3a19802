// A terminal per node: what its console said, without the frames of the agent, and what its tests printed.
import { typing } from "./control.js";
import { Terminal } from "./xterm.mjs";

// protocol/src/frame.rs: START … END, in which every other control byte but ESCAPE is the kernel's.
const [START, END, ESCAPE] = [0x1e, 0x1f, 0x10];
const isControl = (byte) => byte < 0x20 || byte === 0x7f || byte === 0xff;

// Takes frames out of what a console said. Begun in the middle, it does not know whether that is in a frame: what comes
// before the first byte that tells is left out.
export class Frames {
  constructor(fromBegin) {
    this.state = fromBegin ? "text" : "unknown";
  }

  text(bytes) {
    const text = [];
    for (const byte of bytes) {
      if (byte === START) this.state = "frame";
      else if (this.state === "text") text.push(byte);
      else if (byte === END) this.state = "text";
      else if (byte !== ESCAPE && isControl(byte)) {
        this.state = "text";
        text.push(byte);
      }
    }
    return Uint8Array.from(text);
  }
}

function bytesOf({ text, base64 }) {
  if (text !== undefined) return new TextEncoder().encode(text);
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// The page allows style elements with its nonce only; those of xterm.js get it.
function allowStyles() {
  const { nonce } = document.querySelector("script[nonce]");
  const create = document.createElement.bind(document);
  document.createElement = (name, options) => {
    const element = create(name, options);
    if (name === "style") element.nonce = nonce;
    return element;
  };
}

const KEYS = {
  PageUp: (terminal) => terminal.scrollPages(-1),
  PageDown: (terminal) => terminal.scrollPages(1),
  ArrowUp: (terminal) => terminal.scrollLines(-1),
  ArrowDown: (terminal) => terminal.scrollLines(1),
  Home: (terminal) => terminal.scrollToTop(),
  End: (terminal) => terminal.scrollToBottom(),
};

function make(panel) {
  const terminal = new Terminal({
    // What a board says need not be what a terminal understands: nothing for the log of the browser.
    logLevel: "off", cols: 80, rows: 24, scrollback: 5000, disableStdin: true, fontSize: 13, cursorInactiveStyle: "none",
    fontFamily: "ui-monospace, monospace", theme: { background: "#16191d", foreground: "#d8dde3" },
  });
  const button = panel.querySelector("button[data-type]");
  const isTyping = button ? typing(button, terminal) : () => false;
  terminal.attachCustomKeyEventHandler((event) => {
    if (isTyping()) return true;
    const scroll = event.ctrlKey || event.altKey ? undefined : KEYS[event.key];
    if (scroll && event.type === "keydown") {
      scroll(terminal);
      event.preventDefault();
    }
    // Nothing is typed now, and Tab leads on. Copying is the browser's.
    return false;
  });
  terminal.open(panel.querySelector(".screen"));
  terminal.textarea?.setAttribute("aria-label", `Console of ${panel.dataset.node}; the log has it as text`);
  return terminal;
}

export class Terminals {
  // In `section`, in place of the text in `instead`, if any.
  constructor(section, instead) {
    this.from = Number(section.dataset.from);
    this.nodes = new Map();
    if (section.querySelector(".terminal")) {
      allowStyles();
      section.hidden = false;
      instead?.setAttribute("hidden", "");
    }
    for (const panel of section.querySelectorAll(".terminal")) {
      const terminal = panel.classList.contains("silent") ? undefined : make(panel);
      this.nodes.set(panel.dataset.node, { panel, terminal, frames: new Frames(this.from === 0) });
    }
    // Links to the text lead to the terminal.
    for (const part of instead?.querySelectorAll("details[id]") ?? []) part.removeAttribute("id");
    for (const panel of section.querySelectorAll(".terminal")) panel.id = panel.id.replace("terminal-", "console-");
  }

  write(node, bytes) {
    if (!node || bytes.length === 0) return;
    node.panel.classList.remove("silent");
    node.terminal ??= make(node.panel);
    node.terminal.write(bytes);
  }

  // Whether the event was for a terminal.
  take(event) {
    const node = this.nodes.get(event.node);
    if (event.event === "console") {
      if (node && event.direction === "rx") this.write(node, node.frames.text(bytesOf(event)));
    } else if (event.event === "output") {
      // Tests print to a pipe: no terminal has put a carriage return before their line feeds.
      const bytes = bytesOf(event);
      this.write(node, Uint8Array.from([...bytes].flatMap((byte) => (byte === 10 ? [13, 10] : [byte]))));
    } else {
      return false;
    }
    return true;
  }
}
