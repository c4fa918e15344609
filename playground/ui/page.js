// A file dropped on a text box goes through that box's own "Open a text file" button, so that the server decodes it.
(() => {
  const boxOf = (event) => event.target instanceof Element && event.target.closest(".pg-drop");
  const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");

  document.addEventListener("dragover", (event) => {
    const box = boxOf(event);
    if (!box || !carriesFiles(event)) return;
    event.preventDefault();
    box.classList.add("pg-dropping");
  }, true);

  document.addEventListener("dragleave", (event) => {
    const box = boxOf(event);
    if (box && !box.contains(event.relatedTarget)) box.classList.remove("pg-dropping");
  }, true);

  document.addEventListener("drop", (event) => {
    const box = boxOf(event);
    if (!box || !carriesFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    box.classList.remove("pg-dropping");
    const input = box.querySelector('input[type="file"]');
    if (!input) return;
    const files = new DataTransfer();
    files.items.add(event.dataTransfer.files[0]);
    input.files = files.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }, true);

  // Arrow keys go along the tabs; Enter or Space opens the one that has the focus.
  document.addEventListener("keydown", (event) => {
    const tab = event.target instanceof Element && event.target.closest('[role="tab"]');
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!tab || !step) return;
    const tabs = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')].filter((one) => one.offsetParent);
    tabs.at((tabs.indexOf(tab) + step) % tabs.length).focus();
    event.preventDefault();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element && event.target.closest(".pg-copy");
    if (!button) return;
    const text = button.closest(".pg-copyable").querySelector(".pg-text").textContent;
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  });
})();
