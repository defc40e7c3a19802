// Without this the page shows all lines; the search of a console needs it.
for (const input of document.querySelectorAll("input[data-lines]")) {
  input.parentElement.hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const line of document.getElementById(input.dataset.lines).children) {
      line.hidden = !line.textContent.toLowerCase().includes(wanted);
    }
  });
}
// A link to a console opens it.
const open = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
addEventListener("hashchange", open);
open();
// On paper everything is shown.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
