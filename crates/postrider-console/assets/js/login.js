// Signs in with the key of a link, which is behind the `#` of the URL, where no server sees it.

/** Sends the key, if there is one. */
export function signIn() {
  const form = /** @type {HTMLFormElement | null} */ (document.getElementById("login-form"));
  const field = /** @type {HTMLInputElement | null} */ (document.getElementById("login-key"));
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!form || !field || !key) return;
  // A plus is a space in parameters, but a letter in Base64.
  field.value = key.replaceAll(" ", "+");
  // Otherwise the key stays in the browser's history.
  history.replaceState(null, "", location.pathname + location.search);
  form.submit();
}
