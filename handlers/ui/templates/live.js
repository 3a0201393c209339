
// Refreshes the list of requests every two seconds while the page is visible.
(() => {
  const list = document.getElementById("list");
  const status = document.getElementById("status");
  const pause = document.getElementById("pause");
  let tag = list.dataset.tag;
  let paused = false;

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    status.textContent = paused ? "Live updates are paused." : "Live updates are on.";
  });

  const ids = () => new Set([...list.querySelectorAll("[data-id]")].map((row) => row.dataset.id));

  function show(html) {
    const focused = document.activeElement && list.contains(document.activeElement) ? document.activeElement.id : "";
    const known = ids();
    const left = document.getElementById("rows")?.scrollLeft ?? 0;
    list.innerHTML = html;
    document.getElementById("rows")?.scrollTo({ left });
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    const fresh = [...ids()].filter((id) => !known.has(id)).length;
    const time = new Date().toLocaleTimeString(); // so that each announcement differs from the last
    if (fresh) status.textContent = `${fresh === 1 ? "One new request" : `${fresh} new requests`}, ${time}.`;
  }

  async function refresh() {
    if (paused || document.hidden) return;
    const address = new URL(location.href);
    address.searchParams.set("part", "list");
    try {
      const reply = await fetch(address, { headers: { "If-None-Match": tag } });
      if (reply.status === 200) {
        tag = reply.headers.get("ETag");
        show(await reply.text());
      } else if (reply.status !== 304) {
        status.textContent = `The gateway answers ${reply.status}; reload the page.`;
      }
    } catch {
      status.textContent = "The gateway cannot be reached.";
    }
  }

  setInterval(refresh, 2000);
})();
