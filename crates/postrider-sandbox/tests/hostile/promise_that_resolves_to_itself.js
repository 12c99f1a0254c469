// expect: Thrown
function handler() {
  let resolve;
  const promise = new Promise(it => { resolve = it; });
  resolve(promise);
  return promise;
}
