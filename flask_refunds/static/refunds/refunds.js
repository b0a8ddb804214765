/* Flask-Refunds: the Issue Refund modal and the statuses that update by themselves.
   Without this script every page works: links lead to pages, forms are sent and redirect. */
(function () {
  "use strict";

  const OURS = { "X-Requested-With": "refunds", Accept: "application/json, text/html" };
  const FIRST_WAIT = 3000;
  const LONGEST_WAIT = 60000;

  function within(selector, root) {
    return (root || document).querySelector(selector);
  }

  function all(selector, root) {
    return Array.from((root || document).querySelectorAll(selector));
  }

  function parsed(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  }

  async function ask(url, options) {
    const answer = await fetch(url, Object.assign({ credentials: "same-origin", headers: OURS }, options));
    const type = answer.headers.get("Content-Type") || "";
    const isOurs = !answer.redirected && (type.includes("json") || answer.status !== 404);
    const json = type.includes("json") ? await answer.json() : null;
    const text = json ? "" : await answer.text();
    return { status: answer.status, isOurs: isOurs, json: json, text: text };
  }

  /* ------------------------------------------------------------------ the page */

  const page = within("[data-refunds-history]");

  function say(message) {
    const live = within("[data-refunds-live]", page);
    if (live) {
      live.textContent = message;
    }
  }

  function showMessage(message, order) {
    const box = within("[data-refunds-message]", page);
    if (box) {
      if (order) {
        order.before(box);
      }
      box.textContent = message;
      box.hidden = false;
    }
  }

  function words(order) {
    const number = within(".refunds-order-number", order);
    const status = within("[data-says]", order);
    const cells = all(".refunds-line .refunds-badge", order).map((badge) => badge.textContent.trim());
    return {
      number: number ? number.textContent.trim() : "",
      status: status ? all(".refunds-badge", status).map((badge) => badge.textContent.trim()).join(", ") : "",
      all: cells.join("|"),
    };
  }

  /* Where the focus is in an order: by what it is on, since the element itself is replaced. */
  function focusIn(order) {
    const active = document.activeElement;
    if (!active || !order.contains(active)) {
      return -1;
    }
    return all("summary, a[href], button", order).indexOf(active);
  }

  function takeOver(html, options) {
    const fresh = parsed(html);
    const old = fresh && document.getElementById(fresh.id);
    if (!old) {
      return false;
    }
    const before = words(old);
    const focused = focusIn(old);
    fresh.open = options && options.open ? true : old.open;
    const after = words(fresh);
    if (before.status === after.status && before.all === after.all && old.innerHTML === fresh.innerHTML) {
      return false;
    }
    old.replaceWith(fresh);
    if (focused >= 0) {
      const target = all("summary, a[href], button", fresh)[focused];
      (target || within("summary", fresh)).focus({ preventScroll: true });
    }
    if (before.status !== after.status || before.all !== after.all) {
      say(after.number + ": " + after.status);
      return true;
    }
    return false;
  }

  /* ------------------------------------------------------------------ polling */

  let wait = FIRST_WAIT;
  let timer = null;

  function moving() {
    return all("[data-order][data-moving]", page).map((order) => order.dataset.order);
  }

  function schedule() {
    clearTimeout(timer);
    timer = null;
    if (page && !document.hidden && moving().length) {
      timer = setTimeout(poll, wait);
    }
  }

  async function poll() {
    const tokens = moving().slice(0, 40);
    const url = new URL(page.dataset.ordersUrl, window.location.href);
    tokens.forEach((token) => url.searchParams.append("order", token));
    let changed = false;
    try {
      const answer = await ask(url);
      if (answer.status === 401 || answer.status === 403) {
        return;
      }
      const orders = (answer.json && answer.json.orders) || {};
      Object.values(orders).forEach((html) => {
        changed = takeOver(html) || changed;
      });
    } catch (error) {
      changed = false;
    }
    wait = changed ? FIRST_WAIT : Math.min(wait * 1.5, LONGEST_WAIT);
    schedule();
  }

  function pollSoon() {
    wait = FIRST_WAIT;
    schedule();
  }

  document.addEventListener("visibilitychange", function () {
    if (document.hidden) {
      clearTimeout(timer);
    } else {
      pollSoon();
    }
  });

  /* ------------------------------------------------------------------ the modal */

  let dialog = null;
  let opener = null;

  function surface() {
    for (let node = page; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (colour && colour !== "transparent" && !/,\s*0\)$/.test(colour)) {
        return colour;
      }
    }
    return "";
  }

  function makeDialog() {
    const made = document.createElement("dialog");
    made.className = "refunds refunds-dialog";
    made.setAttribute("aria-labelledby", "refunds-issue-title");
    made.addEventListener("close", closed);
    made.addEventListener("cancel", function (event) {
      if (within("[aria-busy=true]", made)) {
        event.preventDefault();
      }
    });
    made.addEventListener("keydown", function (event) {
      if (event.key === "Tab") {
        keepInside(made, event);
      }
    });
    page.appendChild(made);
    return made;
  }

  function keepInside(box, event) {
    const stops = all("a[href], button, input:not([type=hidden]), select, textarea", box).filter(
      (stop) => !stop.disabled && stop.offsetParent !== null
    );
    const [from, to] = event.shiftKey ? [stops[0], stops[stops.length - 1]] : [stops[stops.length - 1], stops[0]];
    if (to && (document.activeElement === from || !box.contains(document.activeElement))) {
      event.preventDefault();
      to.focus();
    }
  }

  function closed() {
    dialog.replaceChildren();
    const target = opener && document.contains(opener) ? opener : null;
    opener = null;
    if (target) {
      target.focus();
    }
  }

  async function openIssue(link) {
    opener = link;
    link.classList.add("refunds-busy");
    try {
      const answer = await ask(link.href);
      if (answer.json) {
        openNote(answer.json.error, answer.status);
        return;
      }
      if (!answer.isOurs || answer.status >= 500) {
        window.location.assign(link.href);
        return;
      }
      open(answer.text);
    } catch (error) {
      window.location.assign(link.href);
    } finally {
      link.classList.remove("refunds-busy");
    }
  }

  function open(html) {
    dialog = dialog || makeDialog();
    fill(html);
    if (!dialog.open) {
      const colour = surface();
      if (colour) {
        dialog.style.setProperty("--refunds-surface", colour);
      }
      dialog.showModal();
    }
    within("[data-refunds-close]", dialog).focus();
  }

  function openNote(code, status) {
    const box = document.createElement("div");
    box.className = "refunds-issue";
    const body = document.createElement("div");
    body.className = "refunds-issue-body";
    const title = document.createElement("h2");
    title.className = "h4";
    title.id = "refunds-issue-title";
    title.tabIndex = -1;
    title.textContent = document.title.split(":")[0];
    const text = document.createElement("p");
    text.setAttribute("role", "alert");
    text.textContent = noteText(code, status);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-outline-secondary";
    button.dataset.refundsClose = "";
    button.textContent = page.dataset.close || "Close";
    body.append(title, text, button);
    box.append(body);
    open(box.outerHTML);
  }

  function noteText(code, status) {
    if (status === 401) {
      return page.dataset.signedOut || code;
    }
    if (code === "not_allowed") {
      return page.dataset.notAllowed || code;
    }
    return code;
  }

  function fill(html) {
    const content = parsed(html);
    dialog.replaceChildren(content);
    const form = within("[data-refunds-form]", dialog);
    if (form) {
      wire(form);
      const bad = within("[aria-invalid=true]", form) || within("[data-refunds-problems]", form);
      if (bad) {
        bad.focus();
      }
    }
  }

  /* ------------------------------------------------------------------ the form */

  function wire(form) {
    const state = { quote: null, forecast: null, turn: 0 };
    form.refundsState = state;
    all("[data-refunds-follows]", form).forEach(function (quantity) {
      const amount = document.getElementById(quantity.dataset.refundsFollows);
      if (amount && amount.value) {
        amount.dataset.typed = "";
      }
    });
    form.addEventListener("input", function (event) {
      typed(form, event.target);
      quoteSoon(form);
    });
    form.addEventListener("change", function (event) {
      if (event.target.matches("[data-refunds-everything]")) {
        everything(form, event.target.checked);
      }
      quoteSoon(form);
    });
    form.addEventListener("submit", function (event) {
      if (page && dialog && dialog.contains(form)) {
        event.preventDefault();
        send(form);
      } else {
        once(form, event);
      }
    });
    form.addEventListener("formdata", function (event) {
      all("[data-refunds-lines] input[readonly]", form).forEach((shown) => event.formData.delete(shown.name));
    });
    everything(form, within("[data-refunds-everything]", form).checked, true);
    askAboutDispute(form, within("[name=despite_dispute]", form)?.checked);
    quoteSoon(form, 0);
  }

  function typed(form, field) {
    if (field.dataset.refundsFollows !== undefined) {
      const amount = document.getElementById(field.dataset.refundsFollows);
      if (amount) {
        delete amount.dataset.typed;
        amount.value = "";
      }
    } else if (field.type === "text") {
      if (field.value) {
        field.dataset.typed = "";
      } else {
        delete field.dataset.typed;
      }
    }
  }

  /* What "everything" comes to is shown in the fields and not sent: only the tick counts. */
  function everything(form, on, first) {
    all("[data-refunds-lines] input[type=text]", form).forEach(function (field) {
      field.readOnly = on;
      if (!first) {
        field.value = "";
        delete field.dataset.typed;
      }
    });
  }

  function quoteSoon(form, delay) {
    const state = form.refundsState;
    clearTimeout(state.quote);
    state.quote = setTimeout(() => quote(form), delay === undefined ? 300 : delay);
  }

  async function quote(form) {
    const state = form.refundsState;
    const turn = ++state.turn;
    let answer;
    try {
      answer = await ask(form.dataset.quoteUrl, { method: "POST", body: new FormData(form) });
    } catch (error) {
      return;
    }
    if (turn !== state.turn || !answer.json || !answer.json.html) {
      return;
    }
    const told = answer.json;
    within("[data-refunds-quote]", form).innerHTML = told.html;
    within("[data-refunds-submit]", form).textContent = told.submit;
    Object.entries(told.lines).forEach(function ([id, value]) {
      const field = document.getElementById(id);
      if (field && form.contains(field) && (field.readOnly || (!("typed" in field.dataset) && field !== document.activeElement))) {
        if (field.dataset.refundsFollows === undefined || field.readOnly) {
          field.value = value;
        }
      }
    });
    all(".refunds-error[id]", form).forEach(function (box) {
      const id = box.id.replace(/-error$/, "");
      mark(form, id, box, told.errors[id]);
    });
    const other = within("[data-refunds-other]", form);
    other.hidden = !told.needs_other;
    all("input, select", other).forEach((field) => { field.disabled = other.hidden; });
    forecast(form, turn);
  }

  function mark(form, id, box, message) {
    const field = document.getElementById(id);
    const later = ["other_kind", "reason", "note", "other_reference"].includes(id);
    if (later && !message) {
      return;
    }
    box.textContent = message || "";
    box.hidden = !message;
    if (field && field.type !== "checkbox") {
      field.classList.toggle("is-invalid", Boolean(message));
      if (message) {
        field.setAttribute("aria-invalid", "true");
      } else {
        field.removeAttribute("aria-invalid");
      }
    }
  }

  /* The consent is asked for when the gateway says that the sale is disputed. */
  function askAboutDispute(form, isDisputed) {
    const place = within("[data-refunds-dispute]", form);
    if (place) {
      place.hidden = !isDisputed;
      within("input", place).disabled = place.hidden;
    }
  }

  async function forecast(form, turn) {
    const place = within("[data-refunds-forecast]", form);
    const card = within("[data-refunds-to-card]", form);
    if (!card.checked) {
      place.replaceChildren();
      askAboutDispute(form, false);
      return;
    }
    try {
      const answer = await ask(form.dataset.forecastUrl, { method: "POST", body: new FormData(form) });
      if (turn === form.refundsState.turn && answer.json) {
        place.innerHTML = answer.json.html;
        askAboutDispute(form, answer.json.disputed);
      }
    } catch (error) {
      place.replaceChildren();
    }
  }

  /* A page without the modal: the second click does nothing, and "back" makes it work again. */
  function once(form, event) {
    if (form.dataset.sent !== undefined) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "";
    window.addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
  }

  async function send(form) {
    if (form.getAttribute("aria-busy") === "true") {
      return;
    }
    const button = within("[data-refunds-submit]", form);
    form.setAttribute("aria-busy", "true");
    button.setAttribute("aria-disabled", "true");
    clearTimeout(form.refundsState.quote);
    form.refundsState.turn += 1;
    try {
      const answer = await ask(form.action, { method: "POST", body: new FormData(form) });
      if (answer.json && (answer.status === 200 || answer.status === 201)) {
        done(answer.json);
      } else if (answer.json) {
        note(form, noteText(answer.json.error, answer.status));
      } else if (within("[data-refunds-form]", asDocument(answer.text))) {
        fill(answer.text);
      } else {
        note(form, answer.status === 400 ? page.dataset.expired : page.dataset.unknown);
      }
    } catch (error) {
      note(form, page.dataset.unknown);
    } finally {
      form.removeAttribute("aria-busy");
      button.removeAttribute("aria-disabled");
    }
  }

  function asDocument(html) {
    return new DOMParser().parseFromString(html, "text/html");
  }

  function note(form, message) {
    let box = within("[data-refunds-problems]", form);
    if (!box) {
      box = document.createElement("div");
      box.className = "alert alert-danger";
      box.setAttribute("role", "alert");
      box.tabIndex = -1;
      box.dataset.refundsProblems = "";
      within(".refunds-issue-body", form).prepend(box);
    }
    box.textContent = message;
    box.focus();
  }

  function done(told) {
    dialog.close();
    takeOver(told.html, { open: true });
    const order = document.getElementById("order-" + told.order);
    showMessage(told.message, order);
    const summary = order && within("summary", order);
    if (summary) {
      order.classList.add("refunds-fresh");
      summary.focus({ preventScroll: true });
      within("[data-refunds-message]", page).scrollIntoView({ block: "nearest" });
    }
    pollSoon();
  }

  /* ------------------------------------------------------------------ listening */

  document.addEventListener("click", function (event) {
    const link = event.target.closest("[data-refunds-issue]");
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (link && plain && page && typeof HTMLDialogElement === "function") {
      event.preventDefault();
      openIssue(link);
      return;
    }
    if (dialog && dialog.open && event.target.closest("[data-refunds-close]")) {
      event.preventDefault();
      dialog.close();
      return;
    }
    const problem = event.target.closest(".refunds-problems a[href^='#']");
    if (problem) {
      const field = document.getElementById(problem.getAttribute("href").slice(1));
      if (field) {
        event.preventDefault();
        field.focus();
      }
    }
  });

  all("[data-refunds-form]").forEach(wire);
  schedule();
})();
