"use strict";
// A refund's page follows what is in flight: its changing part is fetched again until it rests.
(() => {
  const QUICK = 3000;
  const SLOW = 15000;
  const QUICK_FOR = 120000;

  const follow = (live) => {
    const began = Date.now();
    const said = document.createElement("p");
    said.className = "sr-only";
    said.setAttribute("role", "status");
    live.after(said);

    const status = () => live.querySelector("[data-refunds-status]")?.textContent.trim() ?? "";
    const moving = () => live.querySelector("[data-refunds-in-flight]") !== null;

    const show = (html) => {
      const fresh = document.createElement("template");
      fresh.innerHTML = html;
      if (fresh.innerHTML === live.dataset.shown) return;
      live.dataset.shown = fresh.innerHTML;
      const open = [...live.querySelectorAll("details[open]")].map((each) => each.id);
      const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
      const before = status();
      live.replaceChildren(fresh.content);
      open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
      if (focused) document.getElementById(focused)?.focus();
      if (status() !== before) said.textContent = status();
    };

    const look = async () => {
      if (!document.hidden) {
        try {
          const answer = await fetch(live.dataset.refundsLive, {
            headers: { "X-Requested-With": "refunds" },
            credentials: "same-origin",
          });
          if (answer.ok) show(await answer.text());
          else if (answer.status < 500) return;
        } catch {
          // Offline for a moment: the next look tells.
        }
      }
      if (moving()) setTimeout(look, Date.now() - began < QUICK_FOR ? QUICK : SLOW);
    };

    if (moving()) setTimeout(look, QUICK);
  };

  document.querySelectorAll("[data-refunds-live]").forEach(follow);
})();
