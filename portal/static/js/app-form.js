// The form of an app: the country decides the states, the logo is shown before it is sent, fields are checked when they are left.

const MOST_BYTES = 102_400;
const form = document.querySelector("[data-app-form]");
const { country, state, phone, postal_code: postalCode, logo, name, email, address } = form.elements;

// The states of another country are of no use: they go at once, and the new ones come.
let asked = "";
country.addEventListener("change", async () => {
  asked = country.value;
  state.replaceChildren(new Option(asked ? "Loading…" : "Choose a country first", ""));
  if (!asked) return;
  const answer = await fetch(`/pay/places/${asked}`).catch(() => null);
  const place = answer?.ok ? await answer.json() : { states: [], calling_code: "", postal_code_example: "" };
  if (asked !== country.value) return; // another one was chosen meanwhile
  state.replaceChildren(new Option(place.states.length ? "Choose a state" : "No states to choose", ""));
  for (const [code, text] of place.states) state.append(new Option(text, code));
  phone.placeholder = place.calling_code || "+";
  postalCode.placeholder = place.postal_code_example;
});

const preview = document.querySelector("[data-preview]");
const before = [...preview.childNodes];
logo.addEventListener("change", () => {
  const [file] = logo.files;
  preview.replaceChildren(...before);
  mark(logo, logoProblem(file));
  if (!file || logoProblem(file)) return;
  const image = new Image(64, 64);
  image.alt = "Chosen logo";
  image.src = URL.createObjectURL(file);
  image.addEventListener("error", () => {
    preview.replaceChildren(...before);
    mark(logo, "This picture cannot be read.");
  });
  image.addEventListener("load", () => URL.revokeObjectURL(image.src));
  preview.replaceChildren(image);
});

function logoProblem(file) {
  if (!file) return "";
  if (file.size > MOST_BYTES) return "The logo is larger than 100 KB. Choose a smaller one.";
  return ["image/png", "image/jpeg"].includes(file.type) ? "" : "The logo must be a JPG, JPEG or PNG picture.";
}

// What is said below a field moves the buttons: while one is being pressed that would lose the click.
let pressing = false;
addEventListener("pointerdown", () => (pressing = true), { capture: true });
addEventListener("pointerup", () => (pressing = false), { capture: true });
function afterPress(judge) {
  if (pressing) addEventListener("pointerup", () => setTimeout(judge), { once: true });
  else judge();
}

// A field is judged when it is left, and again at each letter once it was wrong. The service has the last word.
const rules = new Map([
  [name, (value) => ([...value.trim()].length < 3 ? "An app's name has 3 to 256 characters." : "")],
  [email, (value) => (/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value.trim()) ? "" : "Enter an e-mail address, like name@example.com.")],
  [address, () => ""],
  [country, () => ""],
  [postalCode, () => ""],
  [phone, (value) => (!value.trim() || value.trim().startsWith("+") ? "" : "Begin the number with + and the country's code.")],
]);
for (const [field, rule] of rules) {
  const judge = () => mark(field, field.required && !field.value.trim() ? "This field is mandatory." : rule(field.value));
  field.addEventListener("blur", () => {
    if (field.value || field.getAttribute("aria-invalid")) afterPress(judge);
  });
  field.addEventListener("input", () => {
    if (field.getAttribute("aria-invalid")) judge();
  });
}

function mark(field, problem) {
  const id = `${field.id}-error`;
  const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((one) => one && one !== id);
  document.getElementById(id)?.remove();
  if (!problem) {
    field.removeAttribute("aria-invalid");
  } else {
    const words = document.createElement("span");
    words.className = "field-error";
    words.id = id;
    words.textContent = problem;
    field.closest(".field").append(words);
    field.setAttribute("aria-invalid", "true");
    others.unshift(id);
  }
  if (others.length) field.setAttribute("aria-describedby", others.join(" "));
  else field.removeAttribute("aria-describedby");
}
