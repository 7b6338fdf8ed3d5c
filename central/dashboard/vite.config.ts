import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The central serves these files under a content security policy without 'unsafe-inline', so nothing
// may be inlined into the page: assets stay files, whatever their size.
export default defineConfig({
  plugins: [react()],
  base: './',
  build: { assetsInlineLimit: 0, target: 'es2022', sourcemap: false, modulePreload: { polyfill: false } },
  server: {
    host: '127.0.0.1',
    port: 7780,
    proxy: { '/api': { target: process.env.CENTRAL ?? 'http://127.0.0.1:7700', ws: true } },
  },
});
