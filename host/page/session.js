// Who uses the page: the token, what it is called and what it may do. The token is kept for this tab alone and leaves it in
// one header; there are no cookies, so no other site can act with it.

const KEY = "tidegate.token";
const ROLES = ["read", "operate", "admin"];

let person = null;

/// The token, if there is one.
export const token = () => sessionStorage.getItem(KEY);

/// Keeps a token, or forgets the one there is.
export function keep(text) {
  person = null;
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

/// Takes a token out of the address (`#token=...`), so that it stands in no bookmark and no history. Whether there was one.
export function takeFromAddress() {
  const given = /^#token=([^&]+)/.exec(location.hash);
  if (!given) return false;
  history.replaceState(null, "", `${location.pathname}#/`);
  keep(decodeURIComponent(given[1]));
  return true;
}

/// Who it is: name, role and the host's version.
export const me = () => person ?? { name: "", role: "read", version: "" };

/// Remembers who it is.
export function is(who) {
  person = who;
}

/// Whether somebody with this role's rights, or more, uses the page.
export const may = (role) => ROLES.indexOf(me().role) >= ROLES.indexOf(role);

/// Why not, in words.
export const whyNot = (role) => (may(role) ? null : `This takes the role “${role}”; yours is “${me().role}”.`);
