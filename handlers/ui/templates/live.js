
// Shows the newest requests as they come: the list is fetched again every two seconds while somebody can see it.
(() => {
  const list = document.getElementById("list");
  const told = document.getElementById("told");
  const pause = document.getElementById("pause");
  let tag = list.dataset.tag;
  let paused = false;

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    told.textContent = paused ? "Live updates are paused." : "Live updates are on.";
  });

  const ids = () => new Set([...list.querySelectorAll("[data-id]")].map((row) => row.dataset.id));

  function put(html) {
    const focused = document.activeElement && list.contains(document.activeElement) ? document.activeElement.id : "";
    const known = ids();
    const left = document.getElementById("rows")?.scrollLeft ?? 0;
    list.innerHTML = html;
    document.getElementById("rows")?.scrollTo({ left });
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    const fresh = [...ids()].filter((id) => !known.has(id)).length;
    const time = new Date().toLocaleTimeString(); // makes each announcement a new one
    if (fresh) told.textContent = `${fresh === 1 ? "One new request" : `${fresh} new requests`}, ${time}.`;
  }

  async function look() {
    if (paused || document.hidden) return;
    const address = new URL(location.href);
    address.searchParams.set("part", "list");
    try {
      const reply = await fetch(address, { headers: { "If-None-Match": tag } });
      if (reply.status === 200) {
        tag = reply.headers.get("ETag");
        put(await reply.text());
      } else if (reply.status !== 304) {
        told.textContent = `The gateway answers ${reply.status}; reload the page.`;
      }
    } catch {
      told.textContent = "The gateway cannot be reached.";
    }
  }

  setInterval(look, 2000);
})();
