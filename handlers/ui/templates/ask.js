
// Asks a question, and shows the run as it happens: each member's text, then the critic's. All texts of models are set
// as text, never as HTML; the page of the request, linked at the end, renders them.
(() => {
  const byId = (id) => document.getElementById(id);
  const form = byId("ask");
  const stop = byId("stop");
  const status = byId("status");
  const answer = byId("answer");
  const cards = new Map();
  let controller = null;

  function card(name) {
    if (cards.has(name)) return cards.get(name);
    const article = document.createElement("article");
    article.className = "card";
    const heading = document.createElement("h3");
    heading.id = `member-${cards.size + 1}`;
    heading.textContent = name;
    article.setAttribute("aria-labelledby", heading.id);
    const badge = document.createElement("span");
    badge.className = "badge";
    badge.textContent = "… waiting";
    const text = document.createElement("pre");
    text.className = "text";
    text.tabIndex = 0;
    text.setAttribute("role", "group");
    text.setAttribute("aria-label", `Text of ${name}`);
    article.append(heading, badge, text);
    byId("members").append(article);
    byId("members-section").hidden = false;
    const made = { badge, text, attempt: 0 };
    cards.set(name, made);
    return made;
  }

  function mark(badge, tone, words) {
    badge.className = `badge ${tone}`;
    badge.textContent = words;
  }

  const handlers = {
    begin(data) {
      const link = byId("trace");
      link.href = `/ui/requests/${data.id}`;
    },
    writing(data) {
      const { badge, text, attempt } = card(data.model);
      if (data.attempt < attempt) return; // an earlier attempt, beside a hedge
      if (data.attempt > attempt) text.textContent = "";
      cards.get(data.model).attempt = data.attempt;
      text.textContent += data.text;
      mark(badge, "accent", "✎ writing");
    },
    candidate(data) {
      const { badge, text } = card(data.model);
      text.textContent = data.text;
      mark(badge, data.finding ? "bad" : "good", data.finding ? `✕ ${data.finding}` : "✓ answered");
    },
    failure(data) {
      const { badge, text } = card(data.model);
      text.textContent = data.message;
      mark(badge, data.kind === "left_out" ? "warn" : "bad", data.kind.replaceAll("_", " "));
    },
    author(data) {
      byId("answer-section").hidden = false;
      byId("answer-facts").textContent = `${data.model} (${data.role})${data.reads ? ` reads ${data.reads} candidates` : ""} …`;
    },
    author_failure(data) { byId("answer-facts").textContent = `${data.model} failed: ${data.message}`; },
    pick(data) { byId("answer-facts").textContent = `${data.model} picks: ${data.text.slice(0, 400)}`; },
    reasoning(data) {
      byId("reasoning-details").hidden = false;
      byId("reasoning").textContent += data.text;
    },
    text(data) {
      byId("answer-section").hidden = false;
      answer.textContent += data.text;
    },
    answer(data) {
      byId("answer-section").hidden = false;
      answer.textContent = data.text;
      byId("answer-facts").textContent = `By ${data.author}: ${data.decided_by.replaceAll("_", " ")}.`;
    },
    end() { status.textContent = "Done."; },
    error(data) { status.textContent = `Failed: ${data.message}`; },
  };

  function dispatch(block) {
    let name = "";
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("event: ")) name = line.slice(7);
      if (line.startsWith("data: ")) data = line.slice(6);
    }
    if (name in handlers) handlers[name](JSON.parse(data));
  }

  async function read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      blocks.forEach(dispatch);
    }
  }

  function clear() {
    cards.clear();
    for (const id of ["members", "answer", "reasoning", "answer-facts"]) byId(id).replaceChildren();
    for (const id of ["members-section", "answer-section", "reasoning-details", "trace"]) byId(id).hidden = true;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    controller?.abort();
    const { signal } = (controller = new AbortController());
    clear();
    const fields = new FormData(form);
    const mode = fields.get("mode");
    const model = form.elements.model.selectedOptions[0];
    if (mode !== "direct") JSON.parse(model.dataset.panel).forEach(card);
    status.textContent = "Asking …";
    stop.hidden = false;
    try {
      const reply = await fetch("/ui/ask", {
        method: "POST",
        headers: { "Content-Type": "application/json", ...(mode ? { "x-mom-mode": mode } : {}) },
        body: JSON.stringify({ model: model.value, messages: [{ role: "user", content: fields.get("question") }] }),
        signal,
      });
      if (reply.ok) await read(reply.body);
      else handlers.error((await reply.json()).error);
    } catch (error) {
      status.textContent = signal.aborted ? "Stopped." : `Failed: ${error.message}`;
    }
    for (const { badge } of cards.values()) {
      if (badge.textContent.startsWith("…") || badge.textContent.startsWith("✎")) mark(badge, "warn", "⊘ not needed");
    }
    byId("trace").hidden = !byId("trace").getAttribute("href");
    byId("answer-section").hidden = byId("answer-section").hidden && !answer.textContent;
    stop.hidden = true;
  });
  stop.addEventListener("click", () => controller?.abort());
})();
