// What is read and shown, as plain values: no element is touched here.

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

export function sizeOf(bytes) {
  let unit = 0;
  let number = bytes;
  while (number >= 1024 && unit < UNITS.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${unit ? number.toFixed(1) : number} ${UNITS[unit]}`;
}

// Of the address: "" where there is none. What a header cannot hold is no token.
export function tokenIn(fragment) {
  const found = /^#token=([A-Za-z0-9_.-]{1,8000})$/.exec(fragment);
  return found ? found[1] : "";
}

export function isToken(text) {
  return /^[A-Za-z0-9_.-]{1,8000}$/.test(text);
}

// "NAMESPACE/CLAIM" of a session's location.
export function claimIn(location) {
  return location.split("/").slice(4, 6).join("/");
}

// The server's own words. With 503 they come escaped as for HTML; here they are shown as text, so the escapes go.
export function saidIn(status, text) {
  const said = text.trim().slice(0, 10000) || `The server answered ${status} and no more.`;
  if (status !== 503) return said;
  return said.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&#x27;", "'")
    .replaceAll("&amp;", "&");
}
