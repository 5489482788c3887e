// The one dialog that ever shows a secret: it closes only when the owner says that the key is kept, and leaves nothing behind.
const dialog = document.getElementById("reveal");
const done = dialog.querySelector(".dialog-foot a");
const guard = document.getElementById("reveal-guard");
let kept = false;

function warn(event) {
  event.preventDefault();
}

// Escape asks twice at most: some browsers close on the second press whatever a page says, so it is opened again.
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  guard.textContent = "Say that you have saved the secret key first; it is shown only now.";
  done.focus();
});
dialog.addEventListener("close", () => {
  if (!kept) dialog.showModal();
});

window.addEventListener("beforeunload", warn);
done.addEventListener("click", (event) => {
  event.preventDefault();
  kept = true;
  window.removeEventListener("beforeunload", warn);
  forget();
  // In place of this page, so that Back never leads to it.
  location.replace(done.href);
});

// Whatever the browser keeps of a page that was left, the secret is not in it.
function forget() {
  document.getElementById("secret-key").textContent = "";
  for (const link of dialog.querySelectorAll("[data-secret]")) link.removeAttribute("href");
}
window.addEventListener("pagehide", forget);
