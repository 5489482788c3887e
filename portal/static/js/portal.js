// What every page gains from JavaScript. Each part looks for its mark in the page and does nothing without it.
import { announce } from "./announce.js";

// The eye beside a password.
for (const eye of document.querySelectorAll("[data-eye]")) {
  const input = document.getElementById(eye.dataset.eye);
  const show = (shown) => {
    input.type = shown ? "text" : "password";
    eye.setAttribute("aria-pressed", String(shown));
    eye.setAttribute("aria-label", shown ? "Hide password" : "Show password");
    for (const face of eye.querySelectorAll("[data-when]")) face.hidden = (face.dataset.when === "shown") !== shown;
  };
  eye.hidden = false;
  eye.addEventListener("click", () => show(input.type === "password"));
  input.form.addEventListener("submit", () => show(false));
}

// The browser's time zone goes with the sign-in.
for (const form of document.querySelectorAll("form[data-zone]")) {
  form.elements.zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}

// On a small screen what is open may lie outside of its strip.
for (const open of document.querySelectorAll(".tabs [aria-current], .segments [aria-current]")) {
  open.scrollIntoView({ block: "nearest", inline: "center" });
}

// Copy a value, and say so.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const label = button.getAttribute("aria-label").replace(/^Copy /, "");
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      announce(`${label} copied`);
      button.dataset.done = "yes";
      setTimeout(() => delete button.dataset.done, 2000);
    } catch {
      announce(`${label} could not be copied; select it and copy it by hand`);
    }
  });
}

// A form is sent once, however often its button is pressed. Coming back to the page opens it again.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});

// Buttons that open and close dialogs; the browser gives the focus back.
for (const button of document.querySelectorAll("[data-opens]")) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById(button.dataset.opens).showModal();
  });
}
for (const button of document.querySelectorAll("[data-closes]")) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    button.closest("dialog").close();
  });
}
for (const dialog of document.querySelectorAll("dialog[data-modal]")) {
  dialog.removeAttribute("open");
  dialog.showModal();
}
