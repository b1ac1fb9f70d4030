//! Draws slider puzzles: a background that is never the same, a piece of it, and the gap that the piece has left.
//!
//! Colours, shapes, the darkness of the gap and the outline of the piece are drawn anew for each puzzle, and a second, fainter gap
//! lies elsewhere: no single colour, threshold or template finds the gap in all of them.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::Semaphore;

use crate::domain::puzzle::{GAP, HEIGHT, PIECE, TOP, WIDTH};
use crate::error::Error;

/// Pictures that may be in hand for each core; one takes about two milliseconds.
const PER_CORE: usize = 16;
/// Pixels between the square of the piece and its body, where the knobs are.
const MARGIN: i32 = 8;
const KNOB: i32 = 7;
/// Pixels between the points of the three layers of the background.
const CELLS: [i32; 3] = [61, 23, 7];

const W: i32 = WIDTH as i32;
const H: i32 = HEIGHT as i32;
const P: i32 = PIECE as i32;

/// Where the gap is, by its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Pixels from the left edge, one of [`GAP`].
    pub left: u16,
    /// Pixels from the upper edge, one of [`TOP`].
    pub top: u16,
}

/// A puzzle as its two PNG files.
pub struct Picture {
    /// With the gap.
    pub whole: Vec<u8>,
    /// What belongs into the gap.
    pub piece: Vec<u8>,
}

/// Draws off the threads that answer calls, a bounded number at once. Clones share the bound.
#[derive(Clone, Debug)]
pub struct Painter {
    room: Arc<Semaphore>,
}

impl Painter {
    /// For this many cores.
    pub fn new(cores: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(cores * PER_CORE)) }
    }

    /// Draws a puzzle; refuses at once when too many are in hand. `seed` must be unpredictable, since everything follows from it.
    pub async fn draw(&self, seed: [u8; 32], place: Place) -> Result<Picture, Error> {
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| Error::Busy)?;
        let drawing = tokio::task::spawn_blocking(move || {
            let _room = room;
            draw(seed, place)
        });
        match drawing.await {
            Ok(picture) => Ok(picture),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

type Colour = [i32; 3];

/// What one side of the piece has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Straight,
    Knob,
    Notch,
}

/// The outline of the piece: left, upper, right, lower side.
#[derive(Clone, Copy)]
struct Outline([Side; 4]);

/// One layer of smooth noise, 0 to 255.
struct Layer {
    cell: i32,
    columns: i32,
    points: Vec<i32>,
}

/// A disc, or its rim.
struct Disc {
    x: i32,
    y: i32,
    inner: i32,
    outer: i32,
    colour: Colour,
}

/// How a gap is shaded.
struct Shade {
    colour: Colour,
    /// Of 256.
    weight: i32,
    /// Of 256, from left to right.
    slope: i32,
}

/// Draws the puzzle of a seed.
pub fn draw(seed: [u8; 32], place: Place) -> Picture {
    let mut random = StdRng::from_seed(seed);
    let canvas = background(&mut random);
    let outline = Outline::random(&mut random);
    let (left, top) = (i32::from(place.left), i32::from(place.top));
    let decoy = decoy(&mut random, place);
    let turned = Outline::random(&mut random);
    let (true_weight, decoy_weight) = (random.random_range(100..150), random.random_range(50..90));
    let shade = Shade::random(&mut random, true_weight, brightness(&canvas, left, top));
    let faint = Shade::random(&mut random, decoy_weight, brightness(&canvas, decoy.0, decoy.1));

    let mut whole = Vec::with_capacity((W * H * 3).unsigned_abs() as usize);
    let mut piece = vec![0; (P * P * 4).unsigned_abs() as usize];
    for y in 0..H {
        for x in 0..W {
            let own = canvas[at(x, y, W)];
            let mut shown = own;
            if turned.covers(x - decoy.0, y - decoy.1) {
                shown = faint.over(shown, x - decoy.0);
            }
            if outline.covers(x - left, y - top) {
                shown = shade.over(shown, x - left);
                let start = at(x - left, y - top, P) * 4;
                piece[start..start + 3].copy_from_slice(&bytes(own));
                piece[start + 3] = u8::MAX;
            }
            whole.extend_from_slice(&bytes(shown));
        }
    }
    Picture {
        whole: encode(&whole, WIDTH, HEIGHT, png::ColorType::Rgb),
        piece: encode(&piece, PIECE, PIECE, png::ColorType::Rgba),
    }
}

/// Three layers of noise between three colours, discs and rings above them, and grain over all.
fn background(random: &mut StdRng) -> Vec<Colour> {
    let layers = CELLS.map(|cell| Layer::random(random, cell));
    let tint = Layer::random(random, CELLS[0]);
    let [first, second, third] = std::array::from_fn(|_| colour(random));
    let discs: Vec<Disc> = (0..random.random_range(6..12)).map(|_| Disc::random(random)).collect();
    let mut canvas = Vec::with_capacity((W * H).unsigned_abs() as usize);
    for y in 0..H {
        for x in 0..W {
            let [coarse, middle, fine] = [&layers[0], &layers[1], &layers[2]].map(|layer| layer.at(x, y));
            let ground = mix(mix(first, second, (4 * coarse + 2 * middle + fine) / 7), third, tint.at(x, y) / 2);
            let seen = discs.iter().fold(ground, |below, disc| disc.over(below, x, y));
            let grain = random.random_range(-9..=9);
            canvas.push(seen.map(|part| (part + grain).clamp(0, 255)));
        }
    }
    canvas
}

/// Where the second gap lies: at another height, so that nobody who looks takes it for the right one.
fn decoy(random: &mut StdRng, place: Place) -> (i32, i32) {
    let (left, top) = (i32::from(place.left), i32::from(place.top));
    let apart = |a: i32, b: i32, least: i32| (a - b).abs() >= least;
    loop {
        let x = i32::from(random.random_range(GAP));
        let y = i32::from(random.random_range(TOP));
        if apart(x, left, P / 2) && apart(y, top, 12) {
            return (x, y);
        }
    }
}

/// Mean of all parts of all pixels under a piece.
fn brightness(canvas: &[Colour], left: i32, top: i32) -> i32 {
    let rows = (top..top + P).flat_map(|y| (left..left + P).map(move |x| at(x, y, W)));
    rows.map(|place| canvas[place].iter().sum::<i32>()).sum::<i32>() / (3 * P * P)
}

impl Outline {
    /// At least one side is not straight.
    fn random(random: &mut StdRng) -> Self {
        let mut sides: [Side; 4] =
            std::array::from_fn(|_| [Side::Straight, Side::Knob, Side::Notch][random.random_range(0..3)]);
        if sides == [Side::Straight; 4] {
            sides[random.random_range(0..4)] = Side::Knob;
        }
        Self(sides)
    }

    fn covers(self, x: i32, y: i32) -> bool {
        if !(0..P).contains(&x) || !(0..P).contains(&y) {
            return false;
        }
        let middle = P / 2;
        let centres = [(MARGIN, middle), (middle, MARGIN), (P - 1 - MARGIN, middle), (middle, P - 1 - MARGIN)];
        let mut body = (MARGIN..P - MARGIN).contains(&x) && (MARGIN..P - MARGIN).contains(&y);
        for (side, (centre_x, centre_y)) in self.0.into_iter().zip(centres) {
            let near = (x - centre_x).pow(2) + (y - centre_y).pow(2) <= KNOB.pow(2);
            match side {
                Side::Knob if near => body = true,
                Side::Notch if near => body = false,
                Side::Straight | Side::Knob | Side::Notch => {}
            }
        }
        body
    }
}

impl Layer {
    fn random(random: &mut StdRng, cell: i32) -> Self {
        let (columns, rows) = (W / cell + 2, H / cell + 2);
        let points = (0..columns * rows).map(|_| random.random_range(0..256)).collect();
        Self { cell, columns, points }
    }

    /// Between the four points around, in proportion.
    fn at(&self, x: i32, y: i32) -> i32 {
        let (column, row, right, down) = (x / self.cell, y / self.cell, x % self.cell, y % self.cell);
        let point = |column, row| self.points[at(column, row, self.columns)];
        let across = |row| point(column, row) * (self.cell - right) + point(column + 1, row) * right;
        (across(row) * (self.cell - down) + across(row + 1) * down) / self.cell.pow(2)
    }
}

impl Disc {
    fn random(random: &mut StdRng) -> Self {
        let outer: i32 = random.random_range(8..46);
        let inner = if random.random_bool(0.5) { 0 } else { outer - random.random_range(3..8) };
        Self { x: random.random_range(0..W), y: random.random_range(0..H), inner, outer, colour: colour(random) }
    }

    fn over(&self, below: Colour, x: i32, y: i32) -> Colour {
        let distance = (x - self.x).pow(2) + (y - self.y).pow(2);
        let inside = (self.inner.pow(2)..self.outer.pow(2)).contains(&distance);
        if inside { mix(below, self.colour, 120) } else { below }
    }
}

impl Shade {
    /// Dark on light ground, light on dark ground, and either between: it is always seen, and never of one colour.
    fn random(random: &mut StdRng, weight: i32, ground: i32) -> Self {
        let colour = colour(random);
        let light = ground < 90 || ground < 140 && random.random_bool(0.5);
        let colour = if light { mix(colour, [255; 3], 200) } else { colour.map(|part| part / 5) };
        Self { colour, weight, slope: random.random_range(-40..=40) }
    }

    fn over(&self, below: Colour, x: i32) -> Colour {
        mix(below, self.colour, (self.weight + self.slope * x / P).clamp(0, 255))
    }
}

fn colour(random: &mut StdRng) -> Colour {
    std::array::from_fn(|_| random.random_range(30..226))
}

/// `weight` of 256 from the second colour, the rest from the first.
fn mix(first: Colour, second: Colour, weight: i32) -> Colour {
    std::array::from_fn(|part| (first[part] * (256 - weight) + second[part] * weight) / 256)
}

fn at(x: i32, y: i32, width: i32) -> usize {
    usize::try_from(y * width + x).expect("inside the picture")
}

fn bytes(colour: Colour) -> [u8; 3] {
    colour.map(|part| u8::try_from(part.clamp(0, 255)).expect("clamped to a byte"))
}

fn encode(pixels: &[u8], width: u16, height: u16, colour: png::ColorType) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width.into(), height.into());
    encoder.set_color(colour);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().expect("the sizes are valid");
    writer.write_image_data(pixels).expect("there are as many pixels as the header says");
    writer.finish().expect("a vector takes everything");
    file
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Picture(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { left: 150, top: 40 };

    /// Width, height and pixels of a PNG.
    fn decode(file: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        (frame.width, frame.height, pixels)
    }

    fn seed(n: u8) -> [u8; 32] {
        [n; 32]
    }

    /// Distance of what is seen from what belongs there, over the pixels of the piece when it lies at `left`.
    fn distance(whole: &[u8], piece: &[u8], left: u16) -> i64 {
        let mut sum = 0;
        for y in 0..usize::from(PIECE) {
            for x in 0..usize::from(PIECE) {
                let own = &piece[(y * usize::from(PIECE) + x) * 4..][..4];
                let place = (y + usize::from(PLACE.top)) * usize::from(WIDTH) + x + usize::from(left);
                let seen = &whole[place * 3..][..3];
                if own[3] > 0 {
                    sum += (0..3).map(|part| i64::from(own[part].abs_diff(seen[part]))).sum::<i64>();
                }
            }
        }
        sum
    }

    #[test]
    fn a_puzzle_is_two_files_of_the_sizes_that_are_promised() {
        let picture = draw(seed(1), PLACE);
        let (width, height, pixels) = decode(&picture.whole);
        assert_eq!((width, height, pixels.len()), (WIDTH.into(), HEIGHT.into(), 320 * 160 * 3));
        let (width, height, pixels) = decode(&picture.piece);
        assert_eq!((width, height, pixels.len()), (PIECE.into(), PIECE.into(), 56 * 56 * 4));
        let opaque = pixels.chunks(4).filter(|pixel| pixel[3] == 255).count();
        assert!((1_000..2_400).contains(&opaque), "{opaque}");
        assert!(pixels.chunks(4).all(|pixel| pixel[3] == 255 || pixel == [0; 4]), "nothing shows around the piece");
    }

    #[test]
    fn the_gap_is_seen_and_the_piece_is_what_is_missing_there() {
        for n in 0..20 {
            let mut random = StdRng::from_seed(seed(n));
            let canvas = background(&mut random);
            let outline = Outline::random(&mut random);
            let (_, _, piece) = decode(&draw(seed(n), PLACE).piece);
            let (_, _, whole) = decode(&draw(seed(n), PLACE).whole);
            for y in 0..P {
                for x in 0..P {
                    let pixel = &piece[at(x, y, P) * 4..][..4];
                    let own = bytes(canvas[at(x + 150, y + 40, W)]);
                    assert_eq!(pixel[3] > 0, outline.covers(x, y));
                    assert!(pixel[3] == 0 || pixel[..3] == own);
                }
            }
            let area = i64::try_from(piece.chunks(4).filter(|pixel| pixel[3] > 0).count()).unwrap();
            assert!(distance(&whole, &piece, PLACE.left) > 20 * area, "the gap of {n} is not seen");
        }
    }

    #[test]
    fn no_two_puzzles_look_alike_and_one_seed_always_gives_the_same() {
        let whole = |n| draw(seed(n), PLACE).whole;
        assert_eq!(whole(1), whole(1));
        assert_ne!(whole(1), whole(2));
    }

    #[test]
    fn one_colour_does_not_find_every_gap() {
        let brightness = |n: u8| {
            let (_, _, whole) = decode(&draw(seed(n), PLACE).whole);
            let centre = (usize::from(PLACE.top) + 28) * usize::from(WIDTH) + usize::from(PLACE.left) + 28;
            whole[centre * 3..][..3].iter().map(|part| i32::from(*part)).sum::<i32>()
        };
        let all: Vec<i32> = (0..20).map(brightness).collect();
        let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!(most - least > 150, "{all:?}");
    }

    #[test]
    fn there_is_room_for_the_second_gap_wherever_the_first_is() {
        for left in [*GAP.start(), 168, *GAP.end()] {
            for top in [*TOP.start(), 52, *TOP.end()] {
                let (x, y) = decoy(&mut StdRng::from_seed(seed(3)), Place { left, top });
                assert!((x - i32::from(left)).abs() >= P / 2 && (y - i32::from(top)).abs() >= 12, "{x} {y}");
            }
        }
    }

    #[tokio::test]
    async fn more_pictures_than_there_is_room_for_are_refused_at_once() {
        let painter = Painter::new(1);
        let taken = Arc::clone(&painter.room).acquire_many_owned(u32::try_from(PER_CORE).unwrap()).await.unwrap();
        assert!(matches!(painter.draw(seed(1), PLACE).await, Err(Error::Busy)));
        drop(taken);
        assert!(painter.draw(seed(1), PLACE).await.is_ok());
    }
}
