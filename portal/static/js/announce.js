// Say something to everybody: shown for some seconds, and read aloud by screen readers.

const SECONDS = 4;

export function announce(text) {
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.textContent = text;
  document.getElementById("toasts").append(toast);
  setTimeout(() => toast.remove(), SECONDS * 1000);
}
