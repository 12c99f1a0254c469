// expect: Timeout
function handler() {
  const thenable = { then(resolve) { resolve(thenable); } };
  return Promise.resolve(thenable);
}
