/* Operators of arrays: both sides, in place, comparison, conversion to Python numbers. */
#include "convert.h"
#include "record.h"

typedef mica_array *builder2(mica_scope *, mica_array *, mica_array *);
typedef mica_array *builder1(mica_scope *, mica_array *);

/* An operator of two operands. */
typedef struct operation {
    const char *name; /* of the function, for errors of the engine */
    const char *what; /* "Cannot perform ... on" */
    builder2 *build;
    uint16_t origin; /* of the name, once an operator was used */
} operation;

static operation power = { "power", "power", mica_power, 0 };
static operation matmul = { "matmul", "matmul", mica_matmul, 0 };

/* Operands that operators take. Sequences and text are mistakes that deserve a sentence; of
 * anything else Python asks the other side. */
typedef enum acceptance { ACCEPTED, MISTAKE, UNKNOWN } acceptance;

static acceptance accepts(PyObject *o)
{
    if (mica_py_array(o) || PyFloat_Check(o) || PyLong_Check(o) || PyComplex_Check(o))
        return ACCEPTED;
    if (PyList_Check(o) || PyTuple_Check(o) || PyUnicode_Check(o) || PyDict_Check(o))
        return MISTAKE;
    if (PyObject_HasAttrString(o, "__mlx_array__") || PyObject_CheckBuffer(o)) return ACCEPTED;
    return UNKNOWN;
}

static PyObject *refuse(const operation *op, PyObject *a, PyObject *b)
{
    PyObject *other = mica_py_array(a) ? b : a;
    PyObject *name = PyType_GetName(Py_TYPE(other));
    if (name)
        PyErr_Format(op == &matmul ? PyExc_TypeError : PyExc_ValueError,
                     "[%s] cannot perform %s on an array and a %U", op->name, op->what, name);
    Py_XDECREF(name);
    return NULL;
}

/* The result of a builder on two Python operands, owned by the scope; NULL with an exception or a
 * failed scope. */
static mica_array *combine(mica_scope *s, const operation *op, PyObject *a, PyObject *b)
{
    mica_array *x = mica_py_array(a), *y = mica_py_array(b);
    if (!x) x = mica_py_operand(s, a, y);
    if (!y && x) y = mica_py_operand(s, b, mica_py_array(a));
    if (x && y) return op->build(s, x, y);
    if (PyErr_Occurred()) mica_py_name_error(op->name, x ? "b" : "a");
    return NULL;
}

static PyObject *binary(operation *op, PyObject *a, PyObject *b)
{
    acceptance first = accepts(a), second = accepts(b);
    if (first == UNKNOWN || second == UNKNOWN) Py_RETURN_NOTIMPLEMENTED;
    if (first == MISTAKE || second == MISTAKE) return refuse(op, a, b);
    mica_scope s;
    mica_py_begin(&s, NULL, op->name, &op->origin);
    return mica_py_recorded(op->what, mica_py_finish(&s, combine(&s, op, a, b)), a, b);
}

static PyObject *in_place(operation *op, PyObject *self, PyObject *b)
{
    acceptance second = accepts(b);
    if (second == UNKNOWN) Py_RETURN_NOTIMPLEMENTED;
    if (second == MISTAKE) return refuse(op, self, b);
    mica_scope s;
    mica_py_begin(&s, NULL, op->name, &op->origin);
    mica_array *r = combine(&s, op, self, b);
    PyObject *before = mica_py_recording ? mica_py_wrap(mica_py_array(self)) : NULL;
    if (r && s.status == MICA_OK && !PyErr_Occurred()) mica_py_replace(self, r);
    int status = mica__scope_end(&s);
    if (status != MICA_OK && !PyErr_Occurred()) mica_py_raise(status);
    PyObject *result = PyErr_Occurred() ? NULL : Py_NewRef(self);
    if (before) result = mica_py_recorded(op->what, result, before, b);
    Py_XDECREF(before);
    return result;
}

/* Bitwise operators want integers: ValueError, as in the reference. */
static mica_array *divide_in_place(mica_scope *s, mica_array *a, mica_array *b)
{
    if (!mica__is_inexact((mica_dtype)a->dtype))
        return mica__error(
            s, MICA_EVALUE,
            "[divide] in-place division requires a floating array, not %s; write x = x / y",
            mica_dtype_name((mica_dtype)a->dtype));
    return mica_divide(s, a, b);
}

/* Of the operators the reference raises ValueError, of the functions RuntimeError. */
static mica_array *bits(mica_scope *s, builder2 *f, const char *symbol, mica_array *a,
                        mica_array *b)
{
    mica_dtype d = mica__result_dtype((mica_array *[]){ a, b }, 2);
    if (mica__is_inexact((mica_dtype)a->dtype) || mica__is_inexact((mica_dtype)b->dtype))
        return mica__error(
            s, MICA_EVALUE,
            "[bitwise] floating point types are not allowed with %s: the operands promote to %s",
            symbol, mica_dtype_name(d));
    return f(s, a, b);
}
static mica_array *bits_and(mica_scope *s, mica_array *a, mica_array *b)
{
    return bits(s, mica_bitwise_and, "&", a, b);
}
static mica_array *bits_or(mica_scope *s, mica_array *a, mica_array *b)
{
    return bits(s, mica_bitwise_or, "|", a, b);
}
static mica_array *bits_xor(mica_scope *s, mica_array *a, mica_array *b)
{
    return bits(s, mica_bitwise_xor, "^", a, b);
}
static mica_array *bits_left(mica_scope *s, mica_array *a, mica_array *b)
{
    return bits(s, mica_left_shift, "<<", a, b);
}
static mica_array *bits_right(mica_scope *s, mica_array *a, mica_array *b)
{
    return bits(s, mica_right_shift, ">>", a, b);
}

#define OPERATOR(python, name, builder, in_place_builder, what)                                    \
    static PyObject *op_##python(PyObject *a, PyObject *b)                                         \
    {                                                                                              \
        static operation op = { name, what, builder, 0 };                                          \
        return binary(&op, a, b);                                                                  \
    }                                                                                              \
    static PyObject *iop_##python(PyObject *a, PyObject *b)                                        \
    {                                                                                              \
        static operation op = { name, what, in_place_builder, 0 };                                 \
        return in_place(&op, a, b);                                                                \
    }
OPERATOR(add, "add", mica_add, mica_add, "addition")
OPERATOR(subtract, "subtract", mica_subtract, mica_subtract, "subtraction")
OPERATOR(multiply, "multiply", mica_multiply, mica_multiply, "multiplication")
OPERATOR(divide, "divide", mica_divide, divide_in_place, "division")
OPERATOR(floor_divide, "floor_divide", mica_floor_divide, mica_floor_divide, "floor division")
OPERATOR(remainder, "remainder", mica_remainder, mica_remainder, "modulus")
OPERATOR(and, "bitwise_and", bits_and, bits_and, "bitwise and")
OPERATOR(or, "bitwise_or", bits_or, bits_or, "bitwise or")
OPERATOR(xor, "bitwise_xor", bits_xor, bits_xor, "bitwise xor")
OPERATOR(lshift, "left_shift", bits_left, bits_left, "left shift")
OPERATOR(rshift, "right_shift", bits_right, bits_right, "right shift")

/* The value of a traced integer, noted as having chosen: another trace is for another choice. */
static int64_t traced_exponent(mica_array *b)
{
    bool integer = b && (b->flags & MICA_ARRAY_WEAK) && b->dtype == MICA_INT64;
    if (!integer || mica__node_of(b)->prim == mica_prim_constant) return 0;
    b->flags |= MICA_ARRAY_EXPONENT;
    return b->number.integer;
}

/* A Python integer, perhaps one of a compiled function; 0 when b is none or too large. */
static int64_t whole_exponent(PyObject *b)
{
    if (mica_py_array(b)) return traced_exponent(mica_py_array(b));
    if (PyBool_Check(b) || PyFloat_Check(b) || PyComplex_Check(b)) return 0;
    if (PyLong_Check(b)) {
        int overflow;
        long long n = PyLong_AsLongLongAndOverflow(b, &overflow);
        return overflow ? 0 : n;
    }
    PyObject *protocol = PyObject_GetAttrString(b, "__mlx_array__");
    if (!protocol) PyErr_Clear();
    int64_t n = protocol ? traced_exponent(mica_py_array(protocol)) : 0;
    Py_XDECREF(protocol);
    return n;
}

static PyObject *op_power(PyObject *a, PyObject *b, PyObject *modulus)
{
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    /* Small whole powers of floats are products: x**3 is three times cheaper to compute, and its
     * derivative far more. */
    bool powers = mica_py_array(a) && mica_py_array(a)->dtype != MICA_BOOL;
    int64_t n = powers ? whole_exponent(b) : 0;
    if (n >= 2 && n <= 4) {
        mica_scope s;
        mica__scope_begin(&s, NULL);
        mica_array *x = mica_py_array(a), *square = mica_square(&s, x);
        PyObject *result = mica_py_finish(&s, n == 2   ? square
                                              : n == 3 ? mica_multiply(&s, square, x)
                                                       : mica_square(&s, square));
        return mica_py_recorded("power", result, a, b);
    }
    return binary(&power, a, b);
}
static PyObject *iop_power(PyObject *a, PyObject *b, PyObject *modulus)
{
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    return in_place(&power, a, b);
}

static PyObject *op_divmod(PyObject *a, PyObject *b)
{
    PyObject *quotient = op_floor_divide(a, b);
    if (!quotient || quotient == Py_NotImplemented) return quotient;
    PyObject *rest = op_remainder(a, b);
    PyObject *pair = rest ? PyTuple_Pack(2, quotient, rest) : NULL;
    Py_DECREF(quotient);
    Py_XDECREF(rest);
    return pair;
}

static PyObject *op_matmul(PyObject *a, PyObject *b)
{
    if (!mica_py_array(a) || !mica_py_array(b)) {
        PyObject *other = mica_py_array(a) ? b : a;
        if (PyObject_CheckBuffer(other) || PyFloat_Check(other) || PyLong_Check(other))
            return refuse(&matmul, a, b);
        Py_RETURN_NOTIMPLEMENTED;
    }
    return binary(&matmul, a, b);
}
static PyObject *iop_matmul(PyObject *a, PyObject *b)
{
    return mica_py_array(b) ? in_place(&matmul, a, b) : refuse(&matmul, a, b);
}

static PyObject *unary(const char *what, builder1 *f, PyObject *self)
{
    mica_scope s;
    mica__scope_begin(&s, NULL);
    return mica_py_recorded(what, mica_py_finish(&s, f(&s, mica_py_array(self))), self, NULL);
}
static PyObject *op_negative(PyObject *a)
{
    return unary("negative", mica_negative, a);
}
static PyObject *op_absolute(PyObject *a)
{
    return unary("absolute", mica_abs, a);
}
static PyObject *op_invert(PyObject *a)
{
    return unary("invert", mica_bitwise_invert, a);
}
static PyObject *op_positive(PyObject *a)
{
    return mica_py_wrap(mica_py_array(a));
}

static int op_bool(PyObject *self)
{
    PyObject *item = mica_py_item(mica_py_array(self));
    if (!item) return -1;
    int truth = PyObject_IsTrue(item);
    Py_DECREF(item);
    return truth;
}

static PyObject *as_number(PyObject *self, PyObject *(*convert)(PyObject *))
{
    PyObject *item = mica_py_item(mica_py_array(self));
    if (!item) return NULL;
    PyObject *number = convert(item);
    Py_DECREF(item);
    return number;
}
static PyObject *op_int(PyObject *self)
{
    return as_number(self, PyNumber_Long);
}
/* Lists take integer arrays of one element as indices, as the reference's do. */
static PyObject *op_index(PyObject *self)
{
    mica_array *a = mica_py_array(self);
    if (mica__is_integer((mica_dtype)a->dtype) && a->ndim == 0) return mica_py_item(a);
    return PyErr_Format(PyExc_TypeError,
                        "only 0-d integer arrays can be an index, not shape %s of %s",
                        mica__shape_text(mica__dims_of(a)), mica_dtype_name((mica_dtype)a->dtype));
}
static PyObject *op_float(PyObject *self)
{
    return as_number(self, PyNumber_Float);
}

static PyObject *compare(PyObject *a, PyObject *b, int operator)
{
    static operation comparisons[] = {
        [Py_LT] = { "less", "less than", mica_less, 0 },
        [Py_LE] = { "less_equal", "less than or equal", mica_less_equal, 0 },
        [Py_EQ] = { "equal", "equal", mica_equal, 0 },
        [Py_NE] = { "not_equal", "not equal", mica_not_equal, 0 },
        [Py_GT] = { "greater", "greater than", mica_greater, 0 },
        [Py_GE] = { "greater_equal", "greater than or equal", mica_greater_equal, 0 },
    };
    operation *op = &comparisons[operator];
    acceptance other = accepts(b);
    bool equality = operator== Py_EQ || operator== Py_NE;
    if (b == Py_None && equality)
        return PyErr_Format(PyExc_TypeError,
                            "[%s] an array cannot be compared with None; write x is None",
                            op->name);
    if (other == MISTAKE && equality) return PyBool_FromLong(operator== Py_NE);
    return binary(op, a, b);
}

PyType_Slot mica_py_operator_slots[] = {
    { Py_nb_add, op_add },
    { Py_nb_subtract, op_subtract },
    { Py_nb_multiply, op_multiply },
    { Py_nb_true_divide, op_divide },
    { Py_nb_floor_divide, op_floor_divide },
    { Py_nb_remainder, op_remainder },
    { Py_nb_divmod, op_divmod },
    { Py_nb_power, op_power },
    { Py_nb_matrix_multiply, op_matmul },
    { Py_nb_and, op_and },
    { Py_nb_or, op_or },
    { Py_nb_xor, op_xor },
    { Py_nb_lshift, op_lshift },
    { Py_nb_rshift, op_rshift },
    { Py_nb_inplace_add, iop_add },
    { Py_nb_inplace_subtract, iop_subtract },
    { Py_nb_inplace_multiply, iop_multiply },
    { Py_nb_inplace_true_divide, iop_divide },
    { Py_nb_inplace_floor_divide, iop_floor_divide },
    { Py_nb_inplace_remainder, iop_remainder },
    { Py_nb_inplace_power, iop_power },
    { Py_nb_inplace_matrix_multiply, iop_matmul },
    { Py_nb_inplace_and, iop_and },
    { Py_nb_inplace_or, iop_or },
    { Py_nb_inplace_xor, iop_xor },
    { Py_nb_inplace_lshift, iop_lshift },
    { Py_nb_inplace_rshift, iop_rshift },
    { Py_nb_negative, op_negative },
    { Py_nb_positive, op_positive },
    { Py_nb_absolute, op_absolute },
    { Py_nb_invert, op_invert },
    { Py_nb_bool, op_bool },
    { Py_nb_int, op_int },
    { Py_nb_index, op_index },
    { Py_nb_float, op_float },
    { Py_tp_richcompare, compare },
    { 0, NULL },
};
