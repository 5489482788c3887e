// Say something to everybody: shown for some seconds, and read aloud by screen readers. While a dialog is open all else is out of reach.

const SECONDS = 4;

export function announce(text) {
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.textContent = text;
  const place = document.querySelector("dialog:modal .toasts") ?? document.getElementById("toasts");
  place.append(toast);
  setTimeout(() => toast.remove(), SECONDS * 1000);
}
