"""The pages for browsers: a list of movies and streams, a page for each, and their files.

Everything is in this file: nothing is loaded from elsewhere, and no script is inline, which
the Content-Security-Policy forbids.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from rtplab.protocol.rtsp.urls import quoted_name

STYLE_PATH = "/-/style.css"
SCRIPT_PATH = "/-/page.js"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""The headers of every answer: no other site's page may embed ours, or our pictures."""

STYLE = """
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #1b1f24; --soft: #57606a;
  --line: #d0d7de; --accent: #0a5cc2; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171a; --card: #1e2226; --text: #e6e9ec; --soft: #a3adb8; --line: #3a4149;
    --accent: #7ab7ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.25rem; margin: .25rem 0 1rem; overflow-wrap: anywhere; }
a { color: var(--accent); }
a:focus-visible, button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.list { display: grid; gap: 1rem; padding: 0; margin: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(16rem, 100%), 1fr)); }
.list a { display: block; height: 100%; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; overflow: hidden; color: inherit; text-decoration: none; }
.list a:hover { border-color: var(--accent); }
.list img { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain;
  background: #000; }
.name { display: block; padding: .5rem .75rem; overflow-wrap: anywhere; }
.live { margin-left: .5rem; padding: 0 .4rem; border: 1px solid var(--line); color: var(--soft);
  border-radius: .35rem; font-size: .85rem; }
.screen { display: block; max-width: 100%; max-height: 75vh; margin: 0 auto; background: #000;
  min-height: 4rem; }
.address { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: 1rem 0; }
code { padding: .35rem .6rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .35rem; overflow-wrap: anywhere; font-size: .95rem; }
button { font: inherit; padding: .35rem .9rem; border: 1px solid var(--line); cursor: pointer;
  border-radius: .35rem; background: var(--card); color: var(--text); }
.figures { color: var(--soft); min-height: 1.5em; }
"""

SCRIPT = """
"use strict";
// Stills are renewed one after the other: a browser opens six connections to a server, and more
// than one at a time would take them from a moving picture.
const stills = Array.from(document.querySelectorAll("img[data-still]"));
for (const image of stills) {
  image.onerror = () => image.removeAttribute("src");  // else there is a broken picture
  if (image.complete && !image.naturalWidth) image.onerror();
}
function renew(index) {
  const image = stills[index];
  const next = new Image();
  const goOn = () => setTimeout(renew, 1000 / stills.length, (index + 1) % stills.length);
  next.onload = () => { image.src = next.src; goOn(); };
  next.onerror = goOn;
  next.src = image.dataset.still + "?" + Date.now();
}
if (stills.length) renew(0);

const screen_ = document.querySelector("img[data-stream]");
if (screen_) {
  const id = Math.random().toString(36).slice(2);
  let asked = 0;
  const show = () => {
    asked = Date.now();
    screen_.src = screen_.dataset.stream + "?id=" + id + "&" + asked;
  };
  show();
  const figures = document.querySelector(".figures");
  let before = null;
  let hasEnded = false;
  setInterval(async () => {
    try {
      // Not relative to an address with user and password, which may not be fetched.
      const answer = await fetch(location.origin + screen_.dataset.figures + "?id=" + id);
      if (answer.status === 404) {
        figures.textContent = "The stream has ended. It will be shown here when it is back.";
        before = null;
        hasEnded = true;
        return;
      }
      const now = await answer.json();
      if (hasEnded || !now.sending && Date.now() > asked + 3000) {  // our connection has ended
        hasEnded = false;
        before = null;
        show();
      }
      if (before && now.seconds > before.seconds) {
        const seconds = now.seconds - before.seconds;
        const rate = ((now.frames - before.frames) / seconds).toFixed(1);
        const bits = Math.round((now.bytes - before.bytes) * 8 / 1000 / seconds);
        const viewers = now.viewers === 1 ? "1 viewer" : now.viewers + " viewers";
        figures.textContent = viewers + ", " + rate + " frames/s, " + bits + " kbit/s";
      }
      before = now;
    } catch (error) {
      figures.textContent = "The server does not answer. The picture will go on when it does.";
    }
  }, 1000);
}
const button = document.querySelector("button[data-copy]");
if (button) {
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch (error) {  // only a secure context may: then the user can, with Ctrl+C
      getSelection().selectAllChildren(document.querySelector("code"));
      button.textContent = "Now press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
}
"""


def listing(names: Iterable[tuple[str, bool]]) -> str:
    """Return the page that lists what can be watched: names, and whether each is live."""
    cards = "".join(
        f'<li><a href="/{quoted_name(name)}"><img data-still="/{quoted_name(name)}.jpg" '
        f'src="/{quoted_name(name)}.jpg" alt=""><span class="name">{escape(name)}'
        f"{' <span class=live>live</span>' if is_live else ''}</span></a></li>"
        for name, is_live in names
    )
    body = f'<ul class="list">{cards}</ul>' if cards else "<p>There is nothing to watch yet.</p>"
    return _page("Movies and live streams", f"<h1>Movies and live streams</h1>{body}")


def watching(name: str, address: str) -> str:
    """Return the page of one movie or stream; `address` is for other players."""
    path = quoted_name(name)
    body = (
        f'<p><a href="/">All movies and streams</a></p><h1>{escape(name)}</h1>'
        f'<img class="screen" data-stream="/{path}.mjpeg" data-figures="/{path}.json" '
        f'alt="The moving picture of {escape(name)}">'
        f'<p class="figures" aria-live="off"></p>'
        f'<p class="address">In other players: <code>{escape(address)}</code> '
        f'<button type="button" data-copy="{escape(address)}">Copy</button></p>'
    )
    return _page(name, body)


def problem(title: str, sentence: str) -> str:
    """Return a page that shows an error."""
    back = '<p><a href="/">All movies and streams</a></p>'
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(sentence)}</p>{back}")


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        f'<link rel="stylesheet" href="{STYLE_PATH}"><script src="{SCRIPT_PATH}" defer></script>'
        f"</head><body><main>{body}</main></body></html>\n"
    )
