"use strict";
// Reports: the first column of a wide table stays while the others are scrolled, and a button prints.
// It needs the colour of what is behind it, which no theme tells; without this script all scrolls.
(() => {
  const behind = (element) => {
    for (let node = element; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (colour && colour !== "transparent" && !/[,/]\s*0\)$/.test(colour)) return colour;
    }
    return "Canvas";
  };

  document.querySelectorAll(".refunds-scroll").forEach((table) => {
    table.style.setProperty("--refunds-surface", behind(table));
    table.dataset.refundsPinned = "";
  });

  document.querySelectorAll("[data-refunds-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  });
})();
