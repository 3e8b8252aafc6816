// Before anything is drawn, so that no light flashes in the dark.
(() => {
  try {
    const chosen = localStorage.getItem("kapellmeister-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch { /* storage may be forbidden: then the system's choice holds */ }
})();
