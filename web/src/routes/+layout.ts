// Every page is drawn in the browser from the API; nothing is rendered on a server.

export const ssr = false
export const prerender = false
