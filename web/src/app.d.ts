/// <reference types="@sveltejs/kit" />
/// <reference types="svelte" />
/// <reference types="vite/client" />

declare module 'virtual:base-map' {
  import type { BaseMap } from '$lib/map/base-map.ts'

  const baseMap: BaseMap
  export default baseMap
}
