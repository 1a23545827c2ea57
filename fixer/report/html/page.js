// Filters the findings. All else on the page works without it.
const field = document.getElementById("filter");
if (field) {
  field.closest(".filter").hidden = false;
  const findings = [...document.querySelectorAll("#findings .finding")];
  const groups = [...document.querySelectorAll("#findings .group")];
  const told = document.getElementById("filtered");
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const finding of findings) {
      const text = finding.textContent.toLowerCase();
      finding.hidden = !words.every((word) => text.includes(word));
      shown += !finding.hidden;
    }
    for (const group of groups) {
      const empty = !group.querySelector(".finding:not([hidden])");
      group.hidden = empty;
      group.previousElementSibling.hidden = empty;
    }
    told.textContent = words.length ? `${shown} of ${findings.length}` : "";
  });
}
