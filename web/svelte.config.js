// The dashboard is a single-page application: the server answers every address with one index.html.

import adapter from '@sveltejs/adapter-static'

/** @type {import('@sveltejs/kit').Config} */
export default {
  kit: {
    adapter: adapter({ fallback: 'index.html' }),
    paths: { relative: false },
  },
}
