import { sveltekit } from '@sveltejs/kit/vite'
import { defineConfig } from 'vite'
import { baseMapPlugin } from './base-map-plugin.ts'

export default defineConfig({
  plugins: [baseMapPlugin(), sveltekit()],
  // The page is made by a server bundle at build time. Bundling what it needs keeps it off the
  // versions of the same packages that the HTTP server in the root uses.
  ssr: { noExternal: true },
  build: { target: 'es2023', chunkSizeWarningLimit: 900 },
})
