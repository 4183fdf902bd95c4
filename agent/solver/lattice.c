/* The lattice of one thermal device, compiled: what agent/planning/joint/recursion.py does with
   arrays, in the same order, so that both agree to the last bit (build without contraction).

   States: on with 0 to on_states - 1 cells owed, then off with 0 to off_states - 1 owed. A boundary
   has a row of nodes for each state; rows of boundary i begin at table + offset[i]. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Moves at each end of a range that are priced one by one. */
enum { END_MOVES = 2 };
/* What a walk pays for leaving its limits by one of z. */
static const double BEYOND = 1e5;

typedef struct {
    int32_t cells, on_states, off_states, first_state;
    int32_t exact; /* moves from node to node only: a plan, not a bound */
    double least, most;                      /* kW */
    const double *step, *gain, *low, *high;  /* by boundary, by cell, limits by boundary */
    const int64_t *first, *last;             /* nodes by boundary */
    const int32_t *on_owed, *off_owed;       /* by the cell that begins the run or the rest */
    const int64_t *offset;                   /* by boundary */
} shape_t;

typedef struct {
    const double *power, *on, *heat, *start, *stop; /* by cell */
} prices_t;

static int64_t width(const shape_t *s, int i) { return s->last[i] - s->first[i] + 1; }

static int on_state(const shape_t *s, int owed) {
    return owed < s->on_states ? owed : s->on_states - 1;
}

static int off_state(const shape_t *s, int owed) {
    return s->on_states + (owed < s->off_states ? owed : s->off_states - 1);
}

/* Values after cell i at nodes of the step before it: begin[0] is node `from`. */
typedef struct { const double *begin; int64_t from, count; } row_t;

static row_t refined(const shape_t *s, int i, const double *after, double heat, double *room) {
    int64_t from = s->first[i + 1], count = width(s, i + 1);
    double step = s->step[i];
    int64_t times = (int64_t)(s->step[i + 1] / step + 0.5);
    if (times == 1) return (row_t){after, from, count};
    for (int64_t k = 0; k < count; k++)
        for (int64_t j = 0; j < times; j++)
            room[k * times + j] = after[k] + heat * ((double)(-j) * step);
    return (row_t){room, from * times, count * times};
}

/* out[x] = min(out[x], row[x + move] + cost) over the nodes of boundary i. */
static void moved(const shape_t *s, int i, row_t row, int64_t move, double cost,
                  double *restrict out) {
    int64_t low = s->first[i], high = s->last[i];
    int64_t a = row.from - move, b = row.from + row.count - 1 - move;
    if (a < low) a = low;
    if (b > high) b = high;
    const double *restrict from = row.begin + (a + move - row.from);
    out += a - low;
    for (int64_t k = 0; k <= b - a; k++) {
        double value = from[k] + cost;
        out[k] = value < out[k] ? value : out[k];
    }
}

static double priced(const shape_t *s, int i, double price, double heat, int64_t move) {
    double gain = s->gain[i], step = s->step[i], slope = price - heat * gain;
    double near = ((double)move - (slope > 0 ? 1.0 : -1.0)) * step / gain;
    double power = near < s->least ? s->least : near;
    power = power > s->most ? s->most : power;
    return heat * ((double)move * step) + slope * power;
}

/* Cell i on: the best move from each node. */
static void run(const shape_t *s, int i, row_t row, double price, double heat, double on,
                double *out, double *room) {
    int64_t low = s->first[i], count = width(s, i);
    double gain = s->gain[i], step = s->step[i];
    for (int64_t x = 0; x < count; x++) out[x] = INFINITY;
    if (gain <= 0) {
        double a = price * s->least, b = price * s->most;
        moved(s, i, row, 0, (a < b ? a : b) + on, out);
        return;
    }
    double slack = 0.0;
    int64_t least, most, first, end;
    if (s->exact) {
        first = least = (int64_t)ceil(gain * s->least / step - 1e-9);
        most = (int64_t)floor(gain * s->most / step + 1e-9);
        end = most + 1;
        if (most < least) {
            moved(s, i, row, most, price * s->most + on, out);
            return;
        }
    } else {
        least = (int64_t)ceil(gain * s->least / step - 1 - 1e-9);
        most = (int64_t)floor(gain * s->most / step + 1 + 1e-9);
        if (least < 0) least = 0;
        first = end = most + 1;
        if (most - least + 1 > 2 * END_MOVES + 1) {
            first = least + END_MOVES;
            end = most + 1 - END_MOVES;
        }
        slack = fabs(price / gain - heat) * step;
    }
    if (first < end) {
        /* In between the cost is linear in the move: a sliding minimum, by doubling. */
        double slope = price / gain * step;
        int64_t moves = end - first, total = count + moves - 1, begin = low + first;
        int64_t a = row.from - begin, b = row.from + row.count - begin;
        a = a < 0 ? 0 : a > total ? total : a;
        b = b < a ? a : b > total ? total : b;
        const double *restrict from = row.begin + (begin - row.from);
        for (int64_t k = 0; k < a; k++) room[k] = INFINITY;
        for (int64_t k = a; k < b; k++) room[k] = from[k] + slope * (double)(begin + k);
        for (int64_t k = b; k < total; k++) room[k] = INFINITY;
        for (int64_t covered = 1; covered < moves;) {
            int64_t more = covered < moves - covered ? covered : moves - covered;
            total -= more;
            /* Only what lies ahead is read. */
            _Pragma("GCC ivdep")
            for (int64_t k = 0; k < total; k++)
                room[k] = room[k + more] < room[k] ? room[k + more] : room[k];
            covered += more;
        }
        for (int64_t x = 0; x < count; x++)
            out[x] = room[x] - slope * (double)(low + x) - slack + on;
    }
    for (int64_t move = least; move < first; move++)
        moved(s, i, row, move, priced(s, i, price, heat, move) + on, out);
    for (int64_t move = end; move <= most; move++)
        moved(s, i, row, move, priced(s, i, price, heat, move) + on, out);
}

/* Fills the table backwards; the value of the first state at node 0, NAN without memory. */
double lattice_values(const shape_t *s, const prices_t *p, double *table) {
    int n = s->cells, states = s->on_states + s->off_states;
    int64_t widest = 1, longest = 1;
    for (int i = 0; i < n; i++) {
        int64_t times = (int64_t)(s->step[i + 1] / s->step[i] + 0.5), moves = 2;
        if (s->gain[i] > 0) moves += (int64_t)(s->gain[i] * s->most / s->step[i]) + 3;
        if (width(s, i + 1) * times > widest) widest = width(s, i + 1) * times;
        if (width(s, i) + moves > longest) longest = width(s, i) + moves;
        if (width(s, i) > widest) widest = width(s, i);
    }
    double *fine = malloc((size_t)(widest * (1 + s->on_states) + longest) * sizeof *fine);
    if (!fine) return NAN;
    double *runs = fine + widest, *room = runs + widest * s->on_states;
    double *end = table + s->offset[n];
    for (int64_t k = 0; k < states * width(s, n); k++) end[k] = 0;
    for (int i = n - 1; i >= 0; i--) {
        int64_t count = width(s, i);
        const double *after = table + s->offset[i + 1];
        double *now = table + s->offset[i];
        for (int r = 0; r < s->on_states; r++) {
            row_t row = refined(s, i, after + r * width(s, i + 1), p->heat[i], fine);
            run(s, i, row, p->power[i], p->heat[i], p->on[i], runs + r * widest, room);
        }
        for (int q = 0; q < s->off_states; q++) {
            /* Off q + 1 owed becomes q owed; off 0 stays or begins. */
            const double *then = after + (s->on_states + q) * width(s, i + 1);
            row_t row = refined(s, i, then, p->heat[i], fine);
            if (q + 1 < s->off_states) {
                double *out = now + (s->on_states + q + 1) * count;
                for (int64_t x = 0; x < count; x++) out[x] = INFINITY;
                moved(s, i, row, 0, 0.0, out);
            }
            if (q == 0) {
                double *idle = now + s->on_states * count;
                for (int64_t x = 0; x < count; x++) idle[x] = INFINITY;
                moved(s, i, row, 0, 0.0, idle);
                const double *begun = runs + on_state(s, s->on_owed[i]) * widest;
                for (int64_t x = 0; x < count; x++) {
                    double value = begun[x] + p->start[i];
                    idle[x] = value < idle[x] ? value : idle[x];
                }
            }
            if (off_state(s, s->off_owed[i]) == s->on_states + q) {
                double *free = now;
                for (int64_t x = 0; x < count; x++) free[x] = runs[x];
                moved(s, i, row, 0, p->stop[i], free);
            }
        }
        for (int r = 1; r < s->on_states; r++)
            memcpy(now + r * count, runs + (r - 1) * widest, (size_t)count * sizeof *now);
    }
    free(fine);
    return table[s->offset[0] + s->first_state * width(s, 0) - s->first[0]];
}

static double penalty(const shape_t *s, int i, double z) {
    double over = s->low[i] - z > z - s->high[i] ? s->low[i] - z : z - s->high[i];
    return over > 0 ? BEYOND * over : 0.0;
}

static double at_node(const shape_t *s, const double *table, int i, int state, int64_t node) {
    double value = table[s->offset[i] + state * width(s, i) + node - s->first[i]];
    return value + penalty(s, i, (double)node * s->step[i]);
}

/* What is read at boundary i in a state: the value of the node at or below z, what lies between at
   the price of heat, and a penalty beyond the limits. */
static double ahead(const shape_t *s, const prices_t *p, const double *table, int i, int state,
                    double z) {
    int64_t node = (int64_t)floor(z / s->step[i]);
    if (node < s->first[i] || node > s->last[i]) return INFINITY;
    double heat = i < s->cells ? p->heat[i] : 0.0;
    double value = table[s->offset[i] + state * width(s, i) + node - s->first[i]];
    value = value - heat * (z - (double)node * s->step[i]);
    return value + penalty(s, i, z);
}

static void try_power(double kw, double cost, double *best, double *chosen, int *goes) {
    if (cost < *best) {
        *best = cost;
        *chosen = kw;
        *goes = 1;
    }
}

/* Forward with the true z: the power of each cell, 0 where it is off. */
void lattice_walk(const shape_t *s, const prices_t *p, const double *table, double *power) {
    int on = s->first_state < s->on_states;
    int owed = on ? s->first_state : s->first_state - s->on_states;
    double z = 0;
    for (int i = 0; i < s->cells; i++) {
        double best = INFINITY, chosen = 0;
        int runs = !owed || on, rests = !owed || !on, goes = rests ? 0 : 1;
        int on_after = owed && on ? owed - 1 : (on ? 0 : s->on_owed[i]);
        int off_after = on ? s->off_owed[i] : (owed ? owed - 1 : 0);
        if (rests) best = ahead(s, p, table, i + 1, off_state(s, off_after), z) + (on ? p->stop[i] : 0.0);
        if (runs) {
            int state = on_state(s, on_after);
            double gain = s->gain[i], begun = p->on[i] + (on ? 0.0 : p->start[i]);
            double cost = ahead(s, p, table, i + 1, state, z + gain * s->least) + begun;
            try_power(s->least, cost + p->power[i] * s->least, &best, &chosen, &goes);
            int64_t node = (int64_t)floor((z + gain * s->least) / s->step[i + 1]) + 1;
            int64_t last = (int64_t)floor((z + gain * s->most) / s->step[i + 1]);
            if (node < s->first[i + 1]) node = s->first[i + 1];
            if (last > s->last[i + 1]) last = s->last[i + 1];
            for (; gain > 0 && node <= last; node++) {
                double kw = ((double)node * s->step[i + 1] - z) / gain;
                cost = at_node(s, table, i + 1, state, node) + begun;
                try_power(kw, cost + p->power[i] * kw, &best, &chosen, &goes);
            }
            cost = ahead(s, p, table, i + 1, state, z + gain * s->most) + begun;
            try_power(s->most, cost + p->power[i] * s->most, &best, &chosen, &goes);
        }
        if (goes && chosen == 0) chosen = s->most;
        owed = goes ? on_after : off_after;
        on = goes;
        power[i] = goes ? chosen : 0.0;
        z += s->gain[i] * power[i];
    }
}
