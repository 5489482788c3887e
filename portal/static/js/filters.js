// Filters that say nothing stay out of the URL.

for (const form of document.querySelectorAll("[data-filters]")) {
  const fields = () => [...form.elements].filter((field) => field.name && !field.value);
  form.addEventListener("submit", () => {
    for (const field of fields()) field.disabled = true;
  });
  addEventListener("pageshow", () => {
    for (const field of fields()) field.disabled = false;
  });
}
