/** Pictures of every kind that a browser has, read part by part. */

import { LipsegError } from "./errors.js";

/** RGBA pixels, row by row. */
export interface Raster {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/** What lips are looked for in. */
export type ImageSource =
  | ImageData
  | ImageBitmap
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLImageElement
  | HTMLVideoElement
  | VideoFrame;

/** A picture that parts can be read from. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Returns the pixels from (x0, y0) up to and without (x1, y1), which lie within the picture. */
  read(x0: number, y0: number, x1: number, y1: number): Raster;
  close(): void;
}

type Surface = OffscreenCanvas | HTMLCanvasElement;

function surface(width: number, height: number): Surface {
  if (typeof OffscreenCanvas !== "undefined") return new OffscreenCanvas(width, height);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** Returns pixels that are in memory already as a picture. */
export function rasterPicture(raster: Raster): Picture {
  return {
    width: raster.width,
    height: raster.height,
    read(x0, y0, x1, y1) {
      if (x0 === 0 && x1 === raster.width) {
        return {
          width: raster.width,
          height: y1 - y0,
          data: raster.data.subarray(4 * y0 * raster.width, 4 * y1 * raster.width),
        };
      }
      const data = new Uint8ClampedArray(4 * (x1 - x0) * (y1 - y0));
      for (let y = y0; y < y1; y++) {
        const start = 4 * (y * raster.width + x0);
        data.set(raster.data.subarray(start, start + 4 * (x1 - x0)), 4 * (y - y0) * (x1 - x0));
      }
      return { width: x1 - x0, height: y1 - y0, data };
    },
    close() {},
  };
}

function sizeOf(source: Exclude<ImageSource, ImageData>): [number, number] {
  if ("videoWidth" in source) return [source.videoWidth, source.videoHeight];
  if ("displayWidth" in source) return [source.displayWidth, source.displayHeight];
  if ("naturalWidth" in source) return [source.naturalWidth, source.naturalHeight];
  return [source.width, source.height];
}

/** Reads the parts of a bitmap with one canvas, which is kept from picture to picture. */
let reader: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null = null;

function readerOf(width: number, height: number): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D {
  if (!reader) {
    const made = surface(width, height).getContext("2d", { willReadFrequently: true }) as
      | CanvasRenderingContext2D
      | OffscreenCanvasRenderingContext2D
      | null;
    if (!made) throw new LipsegError("this browser gives no canvas to read pictures with; close other pages");
    reader = made;
  }
  const canvas = reader.canvas;
  if (canvas.width < width) canvas.width = width;
  if (canvas.height < height) canvas.height = height;
  return reader;
}

/**
 * Opens a picture; `close` it when it is done with.
 *
 * A video or a canvas is held as it is now: it may go on while the model looks.
 *
 * @throws LipsegError where the source holds no picture (yet)
 */
export async function openPicture(source: ImageSource): Promise<Picture> {
  if (typeof ImageData !== "undefined" && source instanceof ImageData) return rasterPicture(source);
  const drawable = source as Exclude<ImageSource, ImageData>;
  const [width, height] = sizeOf(drawable);
  if (!(width > 0 && height > 0)) {
    throw new LipsegError("the picture has no pixels: wait until the image or video is loaded");
  }
  const own = !(typeof ImageBitmap !== "undefined" && drawable instanceof ImageBitmap);
  let bitmap: ImageBitmap;
  try {
    bitmap = own ? await createImageBitmap(drawable) : (drawable as ImageBitmap);
  } catch (error) {
    throw new LipsegError(`the picture cannot be read (${String(error)})`);
  }
  return {
    width: bitmap.width,
    height: bitmap.height,
    read(x0, y0, x1, y1) {
      const [columns, rows] = [x1 - x0, y1 - y0];
      const context = readerOf(columns, rows);
      context.clearRect(0, 0, columns, rows);
      context.drawImage(bitmap, x0, y0, columns, rows, 0, 0, columns, rows);
      return context.getImageData(0, 0, columns, rows);
    },
    close() {
      if (own) bitmap.close();
    },
  };
}
