
// The list of requests: while the page is visible, refreshes the list every two seconds and the running requests every
// second. A change is announced, and keeps the reader's place: focus, scrolling, and what is typed into the filter.
(() => {
  const list = document.getElementById("list");
  const running = document.getElementById("running");
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
    localTimes(list);
    document.getElementById("rows")?.scrollTo({ left });
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    const fresh = [...ids()].filter((id) => !known.has(id)).length;
    const time = new Date().toLocaleTimeString(); // so that each announcement differs from the last
    if (fresh) status.textContent = `${fresh === 1 ? "One new request" : `${fresh} new requests`}, ${time}.`;
  }

  async function load(part, headers) {
    const address = new URL(location.href);
    address.searchParams.set("part", part);
    try {
      const reply = await fetch(address, { headers });
      if (!reply.ok && reply.status !== 304) status.textContent = `The gateway answers ${reply.status}; reload the page.`;
      return reply.ok ? reply : null;
    } catch {
      status.textContent = "The gateway cannot be reached.";
      return null;
    }
  }

  async function refreshList() {
    if (paused || document.hidden) return;
    const reply = await load("list", { "If-None-Match": tag });
    if (!reply) return;
    tag = reply.headers.get("ETag");
    show(await reply.text());
  }

  async function refreshRunning() {
    if (paused || document.hidden) return;
    const reply = await load("running", {});
    if (reply) running.innerHTML = await reply.text();
  }

  setInterval(refreshList, 2000);
  setInterval(refreshRunning, 1000);
})();
