// expect: returns 1
function handler(input) {
  const all = globalThis;
  for (const name of Object.getOwnPropertyNames(all)) delete all[name];
  return 1;
}
