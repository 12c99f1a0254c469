// expect: NotJson
function handler() {
  return new Promise(() => {});
}
