// expect: returns {"a":1}
function handler(input) {
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    try {
      globalThis[name] = null;
    } catch {}
  }
  return { a: 1 };
}
