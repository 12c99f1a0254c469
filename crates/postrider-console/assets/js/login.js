// Signs in with the key of a link, which is behind the `#` of the URL, where no server sees it.

/** Sends the key, if there is one. */
export async function signIn() {
  const form = /** @type {HTMLFormElement | null} */ (document.getElementById("login-form"));
  const field = /** @type {HTMLInputElement | null} */ (document.getElementById("login-key"));
  const box = document.querySelector("[data-login]");
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!form || !field || !box) return;
  if (!key) return box.setAttribute("data-login", "ready");
  const link = location.href;
  // A plus is a space in parameters, but a letter in Base64.
  field.value = key.replaceAll(" ", "+");
  box.setAttribute("data-login", "running");
  // The key must not stay in the history of the browser.
  history.replaceState(null, "", location.pathname + location.search);
  if (window.parent === window || !(await signInFramed(form))) return form.submit();
  if (await isCookieKept(form)) return location.replace(form.dataset.next ?? "/");
  box.setAttribute("data-login", "refused");
  document.getElementById("login-tab")?.removeAttribute("hidden");
  document.getElementById("login-tab-link")?.setAttribute("href", link);
}

/**
 * Signs in without leaving the page. Returns whether it succeeded; otherwise the form shows why.
 * @param {HTMLFormElement} form
 */
async function signInFramed(form) {
  const fields = /** @type {[string, string][]} */ ([...new FormData(form)]);
  try {
    const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
    return response.type === "opaqueredirect";
  } catch {
    return false;
  }
}

/**
 * Whether the browser sends the cookie that the sign-in has set. Some refuse cookies in frames.
 * @param {HTMLFormElement} form
 */
async function isCookieKept(form) {
  try {
    return (await fetch(`${form.action}/check`)).ok;
  } catch {
    return false;
  }
}
