// expect: Timeout | OutOfMemory
function again() {
  return Promise.resolve().then(again);
}
const handler = again;
