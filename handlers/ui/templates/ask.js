
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

  const chosen = () => form.elements.model.selectedOptions[0];
  const boxes = () => [...form.querySelectorAll("input[name=panel]")];
  const proposers = () => JSON.parse(chosen().dataset.proposers ?? "{}"); // of each model of the mixture's own panel
  const isMixture = () => "proposers" in chosen().dataset;

  // The models to ask: the mixture's own in its order, which is its ranking, then the others.
  function ticked() {
    const names = boxes().filter((box) => box.checked).map((box) => box.value);
    const own = Object.keys(proposers()).filter((name) => names.includes(name));
    return [...own, ...names.filter((name) => !own.includes(name))];
  }

  // A mixture can be steered: its own panel is ticked at first. A model asked alone has neither panel nor critic.
  function showPanel() {
    const own = proposers();
    for (const box of boxes()) box.checked = box.value in own;
    for (const each of form.querySelectorAll(".steering")) each.hidden = !isMixture();
    form.elements.mode.value = form.elements.critic.value = "";
  }

  // What the request's field `mom` asks for: only what differs from the configuration.
  function steer() {
    if (!isMixture()) return {};
    const { mode, critic } = form.elements;
    const panel = ticked();
    const own = Object.keys(proposers());
    const isOwn = panel.length === own.length && panel.every((name) => own.includes(name));
    return {
      ...(mode.value ? { mode: mode.value } : {}),
      ...(critic.value ? { critic: "none" in critic.selectedOptions[0].dataset ? false : critic.value } : {}),
      ...(isOwn || mode.value === "direct" ? {} : { panel: panel.length ? panel : false }),
    };
  }

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
    const note = document.createElement("p");
    note.className = "note small";
    note.hidden = true;
    article.append(heading, badge, note, text);
    byId("members").append(article);
    byId("members-section").hidden = false;
    const made = { badge, text, note, attempt: 0, isAsked: true };
    cards.set(name, made);
    return made;
  }

  function mark(badge, tone, words) {
    badge.className = `badge ${tone}`;
    badge.textContent = words;
  }

  function say(words, isBad = false) {
    status.textContent = words;
    status.className = isBad ? "note bad" : "muted";
  }

  const handlers = {
    stage(data) {
      for (const [name, each] of cards) {
        if (data.models.includes(name)) {
          each.isAsked = true;
          mark(each.badge, "", "… waiting");
        } else if (each.badge.textContent === "… waiting") {
          each.isAsked = false;
          mark(each.badge, "", "not asked yet");
        }
      }
    },
    evidence(data) {
      for (const [name, finding] of Object.entries(data.findings)) {
        const { note } = card(name);
        note.textContent = `When run: ${finding}`;
        note.hidden = false;
      }
    },
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
      const isChoice = ["left_out", "straggler", "cancelled"].includes(data.kind);
      mark(badge, isChoice ? "warn" : "bad", `${isChoice ? "⊘" : "✕"} ${data.kind.replaceAll("_", " ")}`);
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
    end() { say("Done."); },
    error(data) { say(`Failed: ${data.message}`, true); },
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
    const { question, model, mode } = form.elements;
    const mom = steer();
    const own = proposers();
    if (isMixture() && mode.value !== "direct") ticked().flatMap((name) => own[name] ?? [name]).forEach(card);
    say("Asking …");
    stop.hidden = false;
    try {
      const reply = await fetch("/ui/ask", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          model: model.value,
          ...(Object.keys(mom).length ? { mom } : {}),
          messages: [{ role: "user", content: question.value }],
        }),
        signal,
      });
      if (reply.ok) await read(reply.body);
      else handlers.error((await reply.json()).error);
    } catch (error) {
      say(signal.aborted ? "Stopped." : `Failed: ${error.message}`, !signal.aborted);
    }
    if (controller.signal !== signal) return; // the next question is being asked already
    for (const { badge, isAsked } of cards.values()) {
      if (!isAsked || badge.textContent.startsWith("…") || badge.textContent.startsWith("✎")) mark(badge, "warn", "⊘ not needed");
    }
    byId("trace").hidden = !byId("trace").getAttribute("href");
    byId("answer-section").hidden = byId("answer-section").hidden && !answer.textContent;
    stop.hidden = true;
  });
  stop.addEventListener("click", () => controller?.abort());
  form.elements.model.addEventListener("change", showPanel);
  form.elements.question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  });
  showPanel();
})();
